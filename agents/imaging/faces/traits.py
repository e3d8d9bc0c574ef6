"""Gender and emotion of a face, estimated by two small networks where their weights are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.imaging.area import Area
from agents.imaging.faces import models

Grey = NDArray[np.uint8]
Square = NDArray[np.float64]

GENDERS = ("woman", "man")
HAPPY = "happy"
EMOTIONS = ("angry", "disgust", "fear", HAPPY, "sad", "surprise", "neutral")

_SIDE = 64
"""Pixels a side of what the networks take."""

_GENDER_MARGINS = (0.2, 0.3)
"""How much wider than the face, on each side, the networks' squares are: those with the fewest mistakes on photos with
known counts of women and men. Hair helps to tell; two sizes together err less than one."""

_EMOTION_MARGINS = (0.05,)


@dataclass(frozen=True)
class Estimate:
    """A label and how sure it is, 0 to 1."""

    label: str
    confidence: float
    likely: Mapping[str, float]
    """How likely each label is."""


def gender(grey: Grey, face: Area) -> Estimate | None:
    """`woman` or `man`; None without the weights."""
    path = models.GENDER.path()
    if path is None:
        return None
    return _estimate(path, [square(grey, face, margin) / 255 for margin in _GENDER_MARGINS], GENDERS)


def emotion(grey: Grey, face: Area) -> Estimate | None:
    """One of EMOTIONS; None without the weights."""
    path = models.EMOTION.path()
    if path is None:
        return None
    return _estimate(path, [(square(grey, face, margin) / 255 - 0.5) * 2 for margin in _EMOTION_MARGINS], EMOTIONS)


def square(grey: Grey, face: Area, margin: float) -> Square:
    """Cut a square around a face, scaled to the networks' size; the picture's border is repeated beyond its edges."""
    side = max(face.width, face.height) * (1 + 2 * margin)
    left, top = round(face.x + face.width / 2 - side / 2), round(face.y + face.height / 2 - side / 2)
    right, bottom = left + max(1, round(side)), top + max(1, round(side))
    height, width = grey.shape
    over = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    seen = grey[max(0, top) : bottom, max(0, left) : right]
    if any(over):
        seen = cv2.copyMakeBorder(seen, *over, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    return cv2.resize(seen, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)


def _estimate(path: Path, squares: Sequence[Square], labels: Sequence[str]) -> Estimate:
    """Estimate the label with the highest mean probability over the squares."""
    net = load(path)
    total = np.zeros(len(labels))
    for square in squares:  # never as one batch: with more than one, OpenCV divides by zero and the process is gone
        net.setInput(np.ascontiguousarray(square[None, :, :, None], dtype=np.float32))
        total += net.forward()[0]
    likely = {label: float(square) for label, square in zip(labels, total / total.sum(), strict=True)}
    best = max(likely, key=likely.__getitem__)
    return Estimate(best, round(likely[best], 4), likely)


@cache
def load(path: Path) -> cv2.dnn.Net:
    """Load the network with these weights, once per process."""
    cv2.setNumThreads(1)
    return cv2.dnn.readNetFromONNX(str(path))
