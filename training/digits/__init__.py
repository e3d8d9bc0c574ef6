"""The network of digit-recognition."""
