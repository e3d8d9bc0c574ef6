"""Training samples: the traits of each cell and of varied copies of it, and which pictures show the same cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.cells.crop import cut_out, white_cell
from agents.cells.stain import Colour
from agents.cells.traits import traits
from agents.cells.types import CellType
from agents.imaging.picture import Picture
from streams.service.errors import InvalidInput
from training.cells.pictures.data import Smear
from training.cells.pictures.vary import varied

Labels = NDArray[np.int64]

TYPES = tuple(CellType)
"""The order of all scores and tables."""

_TWINS = 0.92
"""Least correlation of two normalised pictures of one cell; BCCD's next pair, of two different cells, has 0.90."""


@dataclass(frozen=True)
class Samples:
    """Cells with their copies."""

    names: tuple[str, ...]
    """Names of the traits."""
    traits: NDArray[np.float64]
    """Cells x copies x traits; copy 0 is the cell as it is served."""
    labels: Labels
    """Positions in TYPES."""
    groups: Labels
    """Pictures with the same number show one cell: they are never on both sides of a split."""

    def __len__(self) -> int:
        return len(self.labels)


def cut(smears: Sequence[Smear]) -> list[Colour]:
    """Cut out and normalise the cell of each picture. Raises InvalidInput for a picture without a cell."""
    return [white_cell(Picture.decode(smear.data)).pixels for smear in smears]


def corrected(examples: Sequence[tuple[object, bytes]]) -> list[tuple[Colour, CellType]]:
    """Select usable examples: those of a known type in which cell-preprocess finds a cell."""
    usable = []
    for label, data in examples:
        try:
            usable.append((cut_out(Picture.decode(data)), CellType(str(label))))
        except (InvalidInput, ValueError):
            continue
    return usable


def samples(cells: Sequence[Colour], labels: Sequence[CellType], copies: int, random: np.random.Generator) -> Samples:
    """Measure the traits of cells and of varied copies of each. Raises InvalidInput for a picture without a cell."""
    rows = [[traits(cell), *_copies(cell, copies, random)] for cell in cells]
    names = tuple(rows[0][0])
    values = np.array([[[copy[name] for name in names] for copy in row] for row in rows], np.float64)
    return Samples(names, values, np.array([TYPES.index(label) for label in labels]), twins(cells))


def twins(cells: Sequence[Colour]) -> Labels:
    """Return for each picture the position of the first one that shows the same cell, usually its own."""
    alike = likeness(cells, cells) >= _TWINS
    groups = np.arange(len(cells))
    for cell, other in zip(*np.nonzero(np.triu(alike, 1)), strict=True):
        groups[groups == max(groups[cell], groups[other])] = min(groups[cell], groups[other])
    return groups


def shared(cells: Sequence[Colour], others: Sequence[Colour]) -> NDArray[np.bool_]:
    """Return which of the first pictures show a cell that one of the others shows too."""
    return np.asarray((likeness(cells, others) >= _TWINS).any(axis=1))


def likeness(cells: Sequence[Colour], others: Sequence[Colour]) -> NDArray[np.float64]:
    """Return the correlation of each picture with each other, -1 to 1."""
    return np.asarray(_flat(cells) @ _flat(others).T)


def _copies(pixels: Colour, count: int, random: np.random.Generator) -> list[dict[str, float]]:
    copied: list[dict[str, float]] = []
    for _ in range(2 * count):  # a copy whose stain got too faint to be seen is made again
        if len(copied) < count:
            try:
                copied.append(dict(traits(varied(pixels, random))))
            except InvalidInput:
                continue
    return copied


def _flat(cells: Sequence[Colour]) -> NDArray[np.float64]:
    small = [cv2.resize(cv2.GaussianBlur(cell, (0, 0), 2), (32, 32)).astype(np.float64).ravel() for cell in cells]
    rows = np.array(small)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))
