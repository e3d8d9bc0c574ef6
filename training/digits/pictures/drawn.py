"""Digits drawn by OpenCV (Hershey's fonts) with pens of any width: forms that MNIST's writers did not use."""

from collections.abc import Sequence

import cv2
import numpy as np

from agents.digits.centre import centred
from training.digits.pictures.data import Digits

FACES = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX_SMALL,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)

_CANVAS = 128
_HIGH = 64
"""Pixels of the letters on it."""


def drawn(count: int, random: np.random.Generator, digits: Sequence[int] = tuple(range(10))) -> Digits:
    """Draw this many digits of these kinds, centred as MNIST's are."""
    labels = np.asarray(digits, np.int64)[random.integers(0, len(digits), count)]
    faces = random.integers(0, len(FACES), count)
    widths = random.integers(3, 15, count)
    stretches = random.uniform(0.6, 1.2, count)
    pictures = np.stack(
        [
            _one(int(label), FACES[face], int(width), float(stretch))
            for label, face, width, stretch in zip(labels, faces, widths, stretches, strict=True)
        ]
    )
    return Digits(pictures, labels)


def _one(digit: int, face: int, width: int, stretch: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    canvas = np.zeros((_CANVAS, _CANVAS), np.uint8)
    scale = _HIGH / cv2.getTextSize(str(digit), face, 1, 1)[0][1]
    cv2.putText(canvas, str(digit), (32, 96), face, scale, 255, width, cv2.LINE_AA)
    wide = cv2.resize(canvas, None, fx=stretch, fy=1, interpolation=cv2.INTER_AREA).astype(np.uint8)
    drawing = centred(wide)
    assert drawing is not None
    return drawing
