"""OpenCV's Haar cascades, loaded once a process."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Hit = tuple[tuple[int, int, int, int], float]
"""Box (x, y, width, height) and the cascade's weight, about -1 to 15."""


@cache
def cascade(name: str) -> cv2.CascadeClassifier:
    """Load a cascade by its file name without the ending, once per process."""
    cv2.setNumThreads(1)  # a pool child is one core's worth
    folder: str = cv2.data.haarcascades  # type: ignore[attr-defined]  # its stubs forget it
    return cv2.CascadeClassifier(str(Path(folder) / f"{name}.xml"))


def hits(
    found_by: cv2.CascadeClassifier,
    grey: NDArray[np.uint8],
    *,
    scale: float,
    neighbours: int,
    smallest: tuple[int, int],
    largest: tuple[int, int] = (0, 0),
) -> list[Hit]:
    """Run a cascade; return each box (left, top, width, height) with its weight, the highest first. Sizes are in pixels."""
    boxes, _, weights = found_by.detectMultiScale3(
        grey, scaleFactor=scale, minNeighbors=neighbours, minSize=smallest, maxSize=largest, outputRejectLevels=True
    )
    weighted = [
        ((int(x), int(y), int(w), int(h)), float(np.ravel(weight)[0]))
        for (x, y, w, h), weight in zip(boxes, weights, strict=True)
    ]
    return sorted(weighted, key=lambda hit: -hit[1])
