"""Which of the boxes that were found belong to which faces that are known: each to one at most."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from training.faces.truth import Box, Point

T = TypeVar("T")

LEAST = 0.5
"""Intersection over union from which a box is that of a face."""


def by_overlap(boxes: Sequence[Box], known: Sequence[Box]) -> list[float]:
    """Match boxes to known ones; return each pair's intersection over union, at least LEAST, the best first."""
    return _pairs(boxes, known, overlap, LEAST)


def by_point(boxes: Sequence[Box], known: Sequence[Point]) -> int:
    """How many of the points lie in a box of their own."""
    return len(_pairs(boxes, known, _centrality, 0.0))


def overlap(box: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    across = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    down = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    both = max(0.0, across) * max(0.0, down)
    return both / (box[2] * box[3] + other[2] * other[3] - both)


def _centrality(box: Box, point: Point) -> float:
    """1 in the middle of the box, 0 at its edge, less outside."""
    across = abs(point[0] - box[0] - box[2] / 2) / (box[2] / 2)
    down = abs(point[1] - box[1] - box[3] / 2) / (box[3] / 2)
    return 1 - max(across, down)


def _pairs(boxes: Sequence[Box], known: Sequence[T], close: Callable[[Box, T], float], least: float) -> list[float]:
    """How close each pair is: the closest pair is made first, and neither of it is in another."""
    ranked = sorted(
        ((close(box, mark), at, to) for at, box in enumerate(boxes) for to, mark in enumerate(known)), reverse=True
    )
    taken: set[int] = set()
    matched: set[int] = set()
    pairs = []
    for value, at, to in ranked:
        if value < least:
            break
        if at not in taken and to not in matched:
            taken.add(at)
            matched.add(to)
            pairs.append(value)
    return pairs
