"""Separate ink from paper: how strong the ink is at each pixel, whatever the light, dark on light or light on dark."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.digits.centre import Grey

Plane = NDArray[np.float32]

_ROUNDS = 6
"""Rounds of fitting the paper and leaving out what is not paper; it converges in fewer."""

_LARGE = 96
"""Pixels of the shorter side from which on a picture may be a photo, with shadows that no smooth surface follows."""

_ENOUGH = 64
"""Pixels of the longer side that are enough to fit a surface to."""


@dataclass(frozen=True)
class Inked:
    """A picture as ink."""

    strength: Plane
    """Levels of 255 by which a pixel differs from the paper around it, towards the ink; not below 0."""
    light_on_dark: bool
    noise: float
    """Levels by which paper differs from itself."""


def inked(grey: Grey) -> Inked:
    """Measure how much each pixel differs from its paper. The picture has at least 2 x 2 pixels."""
    values = grey.astype(np.float32)
    scale = min(1.0, _ENOUGH / max(values.shape))
    small = cv2.resize(values, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32)
    paper = cv2.resize(_surface(small), values.shape[::-1], interpolation=cv2.INTER_LINEAR)
    rest = (values - paper).astype(np.float32)
    light = float((np.maximum(rest, 0) ** 2).sum()) > float((np.minimum(rest, 0) ** 2).sum())
    towards = rest if light else -rest
    noise = 1.4826 * float(np.median(np.abs(towards)))
    if min(grey.shape) >= _LARGE:
        towards = _local(values if light else 255 - values, noise)
    return Inked(np.maximum(towards, 0), light, noise)


def _surface(values: Plane) -> Plane:
    """Fit the paper as a quadratic surface, first to the border, then to all pixels near that surface."""
    height, width = values.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    flat = values.reshape(-1)
    edge = max(1, round(min(height, width) * 0.06))
    border = np.ones((height, width), bool)
    border[edge : height - edge, edge : width - edge] = False
    ring = border.reshape(-1)
    level = float(np.median(flat[ring]))
    fitted = np.full_like(flat, level)
    near = ring & (np.abs(flat - level) <= max(12.0, 3 * _spread(flat[ring] - level)))
    for _ in range(_ROUNDS):
        if near.sum() < 24 or max(height, width) < 16:
            break  # too little to fit a surface to: flat paper
        fitted = (terms @ np.linalg.lstsq(terms[near], flat[near], rcond=None)[0]).astype(np.float32)
        near = np.abs(flat - fitted) <= max(12.0, 3 * _spread((flat - fitted)[ring]))
    return fitted.reshape(height, width)


def _spread(rest: Plane) -> float:
    return 1.4826 * float(np.median(np.abs(rest)))


def _local(values: Plane, noise: float) -> Plane:
    """How much brighter than what surrounds it each pixel is: what a wide opening takes away, shadows and light stay."""
    calm = cv2.GaussianBlur(values, (0, 0), 1.0) if noise > 2 else values
    scale = _LARGE / min(values.shape)  # the ground is found at a size where it costs little
    small = cv2.resize(calm, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    wide = round(min(small.shape) * 0.45) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide))
    ground = cv2.morphologyEx(small, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    ground = cv2.GaussianBlur(ground, (0, 0), wide / 8)
    return (calm - cv2.resize(ground, values.shape[::-1], interpolation=cv2.INTER_LINEAR)).astype(np.float32)
