"""The pictures that blood cells are learned from and tested on."""
