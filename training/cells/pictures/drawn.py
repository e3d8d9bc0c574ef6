"""Drawn blood smears, for tests that must not depend on third-party data. Rough likenesses, not to learn from."""

from itertools import pairwise

import cv2
import numpy as np

from agents.cells.stain import Colour
from agents.cells.types import CellType

Tint = tuple[int, int, int]

EMPTY: Tint = (206, 208, 206)
RED_CELL: Tint = (184, 148, 148)
NUCLEUS: Tint = (112, 84, 186)

_CYTOPLASM = {
    CellType.NEUTROPHIL: (194, 177, 202),
    CellType.EOSINOPHIL: (196, 160, 200),
    CellType.LYMPHOCYTE: (168, 172, 212),
    CellType.MONOCYTE: (184, 184, 208),
}

_LOBES = {
    CellType.NEUTROPHIL: (
        (-0.42, -0.25, 0.30, 0.24),
        (0.0, -0.48, 0.26, 0.24),
        (0.42, -0.1, 0.26, 0.32),
        (0.15, 0.42, 0.3, 0.24),
    ),
    CellType.EOSINOPHIL: ((-0.4, -0.05, 0.34, 0.5), (0.42, 0.0, 0.34, 0.48)),
    CellType.LYMPHOCYTE: ((0.04, 0.0, 0.86, 0.84),),
    CellType.MONOCYTE: ((-0.2, -0.2, 0.6, 0.48), (0.15, 0.15, 0.55, 0.5)),
}
"""Ellipses: position and half axes, in radii of the cell. Those of one nucleus are joined by strands."""


def smear(
    cells: tuple[CellType, ...], random: np.random.Generator, size: tuple[int, int] = (640, 480), radius: int = 62
) -> Colour:
    """Draw a field with these white cells side by side, red cells around them and a few platelets; `size` is width and height."""
    width, height = size
    field = np.full((height, width, 3), EMPTY, np.uint8)
    places = [(width * (2 * at + 1) // (2 * max(1, len(cells))), height // 2) for at in range(len(cells))]
    for _ in range(width * height // (radius * radius * 4)):
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        if all(np.hypot(x - a, y - b) > 1.8 * radius for a, b in places):
            cv2.circle(field, (x, y), int(radius * 0.62), RED_CELL, -1, cv2.LINE_AA)
            cv2.circle(field, (x, y), int(radius * 0.22), (200, 176, 176), -1, cv2.LINE_AA)
        elif all(np.hypot(x - a, y - b) > 1.3 * radius for a, b in places):
            cv2.circle(field, (x, y), max(2, radius // 10), (150, 130, 196), -1, cv2.LINE_AA)
    for kind, place in zip(cells, places, strict=True):
        _white(field, kind, place, radius, random)
    soft = cv2.GaussianBlur(field, (0, 0), max(0.6, radius / 60)).astype(np.float32)
    return np.asarray(np.clip(soft + random.normal(0, 1.5, soft.shape), 0, 255), np.uint8)


def _white(canvas: Colour, kind: CellType, place: tuple[int, int], radius: int, random: np.random.Generator) -> None:
    x, y = place
    cv2.circle(canvas, place, radius, _CYTOPLASM[kind], -1, cv2.LINE_AA)
    if kind is CellType.EOSINOPHIL:
        for angle, away in random.uniform((0, 0), (2 * np.pi, 0.9), (160, 2)):
            at = int(x + radius * away * np.cos(angle)), int(y + radius * away * np.sin(angle))
            cv2.circle(canvas, at, max(1, radius // 16), (186, 126, 168), -1, cv2.LINE_AA)
    turn = float(random.uniform(0, 2 * np.pi))
    middles = []
    for right, down, wide, high in _LOBES[kind]:
        across, along = right * np.cos(turn) - down * np.sin(turn), right * np.sin(turn) + down * np.cos(turn)
        middle = int(x + radius * across), int(y + radius * along)
        axes = max(1, int(wide * radius)), max(1, int(high * radius))
        cv2.ellipse(canvas, middle, axes, np.degrees(turn), 0, 360, NUCLEUS, -1, cv2.LINE_AA)
        middles.append(middle)
    for lobe, other in pairwise(middles):
        cv2.line(canvas, lobe, other, NUCLEUS, max(2, radius // 8), cv2.LINE_AA)
