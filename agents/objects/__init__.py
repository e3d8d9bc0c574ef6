"""Serving an operator's own detector. Only `description` and `status` may be imported without loading OpenCV."""
