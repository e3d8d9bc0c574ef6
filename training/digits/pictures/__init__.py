"""The pictures that digits are learned from and tested on."""
