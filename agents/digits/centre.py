"""Ink as the digits of MNIST are in their pictures: 20 pixels at the longer side, the centre of mass in the middle of 28."""

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

SIDE = 28
"""Pixels a side of what the network takes."""

_BOX = 20
"""Pixels of the digit's longer side within it."""

_FAINT = 24
"""Of 255: less than this does not count for where the ink ends."""


def centred(ink: Grey) -> Grey | None:
    """Centre the digit of a picture (ink 255, paper 0) on SIDE x SIDE pixels; None when there is no ink."""
    rows, columns = (np.flatnonzero((ink >= _FAINT).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = _BOX / max(cut.shape)
    size = max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))
    small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    mass = float(small.sum(dtype=np.int64))
    x = float((small.sum(axis=0, dtype=np.int64) * np.arange(size[0])).sum()) / mass
    y = float((small.sum(axis=1, dtype=np.int64) * np.arange(size[1])).sum()) / mass
    left, top = (_start(centre, length) for centre, length in ((x, size[0]), (y, size[1])))
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[top : top + size[1], left : left + size[0]] = small
    return square


def _start(centre: float, length: int) -> int:
    """Where the ink begins for its centre to be in the middle, without leaving the frame.

    The middle is pixel 14, halves rounded up: with that, MNIST's own pictures come back as they are.
    """
    return min(max(0, int(SIDE / 2 + 0.5 - centre)), SIDE - length)
