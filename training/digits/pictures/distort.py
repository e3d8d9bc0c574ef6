"""Distort digits as other writers, pens and cameras would: rotation, shear, scale, bending, thickness, brightness."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.digits.pictures.data import Pictures

_TURN, _SHEAR, _STRETCH, _SHIFT = 0.2, 0.25, 0.15, 1.5
"""Largest rotation in radians, shear and scale as ratios, shift in pixels."""

_BEND = 4.0, 1.6
"""Sigma of the displacement field's blur, and its largest displacement, both in pixels."""


def distorted(pictures: Pictures, random: np.random.Generator) -> NDArray[np.float32]:
    """Distort each picture at random; values 0 to 1."""
    count, height, width = pictures.shape
    distorted_pictures = np.empty((count, height, width), np.float32)
    noise = random.uniform(-1, 1, (count, 2, height, width)).astype(np.float32)
    draws = random.uniform(-1, 1, (count, 8))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    for index in range(count):
        turn, shear, wide, high, right, down, bend, pen = draws[index]
        cos, sin = np.cos(turn * _TURN), np.sin(turn * _TURN)
        field = [cv2.GaussianBlur(plane, (0, 0), _BEND[0]) for plane in noise[index]]
        far = abs(bend) * _BEND[1] / max(1e-6, float(np.abs(field).max()))
        across = (cos * x - sin * y + shear * _SHEAR * y) * (1 + wide * _STRETCH) + right * _SHIFT
        along = (sin * x + cos * y) * (1 + high * _STRETCH) + down * _SHIFT
        from_x = (across + field[0] * far + (width - 1) / 2).astype(np.float32)
        from_y = (along + field[1] * far + (height - 1) / 2).astype(np.float32)
        moved = cv2.remap(pictures[index], from_x, from_y, interpolation=cv2.INTER_LINEAR)
        distorted_pictures[index] = _penned(moved.astype(np.uint8), pen)
    return np.divide(distorted_pictures, 255, dtype=np.float32)


def _penned(picture: NDArray[np.uint8], pen: float) -> NDArray[np.uint8]:
    """Change the thickness of lines in two of five cases; `pen` is -1 to 1."""
    kernel = np.ones((2, 2), np.uint8)
    if pen > 0.8:
        return cv2.dilate(picture, kernel).astype(np.uint8)
    if pen < -0.8:
        thin = cv2.erode(picture, kernel)
        return cv2.addWeighted(thin, 0.6, picture, 0.4, 0).astype(np.uint8)
    if pen > 0.6:
        return cv2.GaussianBlur(picture, (3, 3), 0).astype(np.uint8)
    if pen < -0.6:
        return np.asarray(np.minimum(picture.astype(np.float32) * 1.6, 255), np.uint8)
    return picture
