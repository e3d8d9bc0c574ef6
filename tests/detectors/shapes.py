"""Drawn scenes with dark discs, squares and triangles on light paper, and what is in them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LABELS = ("disc", "square", "triangle")

Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Scene:
    """A picture and the objects in it."""

    pixels: NDArray[np.uint8]
    """Height x width x 3, red first."""
    objects: tuple[tuple[str, Box], ...]


def scene(random: np.random.Generator, width: int = 64, height: int = 64) -> Scene:
    """One to three shapes of a quarter to nearly half of the shorter side, apart from each other, on an uneven ground with noise."""
    ground = random.uniform(170, 245, 3)
    across = np.linspace(-1, 1, width)[None, :, None] * random.uniform(-20, 20)
    down = np.linspace(-1, 1, height)[:, None, None] * random.uniform(-20, 20)
    canvas = np.clip(ground + across + down, 0, 255).astype(np.uint8)
    objects: list[tuple[str, Box]] = []
    for _ in range(random.integers(1, 4)):
        side = int(min(width, height) * random.uniform(0.25, 0.45))
        left, top = int(random.integers(0, width - side)), int(random.integers(0, height - side))
        box = left, top, left + side, top + side
        if all(_apart(box, other) for _, other in objects):
            label = LABELS[random.integers(len(LABELS))]
            _draw(canvas, label, box, tuple(random.uniform(0, 110, 3)))
            objects.append((label, box))
    noisy = canvas + random.normal(0, 6, canvas.shape)
    return Scene(np.clip(noisy, 0, 255).astype(np.uint8), tuple(objects))


def _draw(canvas: NDArray[np.uint8], label: str, box: Box, colour: tuple[float, ...]) -> None:
    left, top, right, bottom = box
    if label == "disc":
        middle = (left + right) // 2, (top + bottom) // 2
        cv2.circle(canvas, middle, (right - left) // 2, colour, -1, cv2.LINE_AA)
    elif label == "square":
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), colour, -1)
    else:
        corners = np.array([((left + right) // 2, top), (right - 1, bottom - 1), (left, bottom - 1)])
        cv2.fillPoly(canvas, [corners], colour, cv2.LINE_AA)


def _apart(one: Box, other: Box) -> bool:
    return one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
