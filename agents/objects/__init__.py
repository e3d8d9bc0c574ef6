"""Serving an operator's own detector.

Only `words`, `description` and `status` may be imported without loading OpenCV.
"""
