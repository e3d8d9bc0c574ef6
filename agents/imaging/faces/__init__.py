"""Finding faces and estimating how they look.

Only `models` may be imported without loading OpenCV.
"""
