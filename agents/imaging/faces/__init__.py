"""Finding faces and saying how they look. Only `models` may be imported without loading OpenCV."""
