"""Run pictures through both services, to measure their answers and how well the cell is found."""

from collections.abc import Iterator, Sequence

import numpy as np

from agents.cells.classifier import Classifier
from agents.cells.crop import white_cell
from agents.cells.traits import traits
from agents.imaging.area import Box
from agents.imaging.picture import Picture
from streams.service.errors import InvalidInput
from training.cells.measure import Said, overlap
from training.cells.pictures.data import Smear
from training.cells.pictures.samples import TYPES

_QUARTER = (0, 0), (0, 1), (1, 0), (1, 1)

_NEAR = 20
"""Pixels around a box that may still show part of the cell."""


def classified(model: Classifier, smears: Sequence[Smear]) -> Said:
    """Classify whole picture files."""
    rows = np.zeros((len(smears), len(TYPES)))
    refused, familiar = 0, np.zeros(len(smears), np.bool_)
    for at, smear in enumerate(smears):
        try:
            answer = model.tell(traits(white_cell(Picture.decode(smear.data)).pixels))
        except InvalidInput:
            refused += 1
            continue
        rows[at] = [answer.probabilities.get(kind, 0.0) for kind in TYPES]
        familiar[at] = answer.familiar
    return Said(rows, np.array([TYPES.index(kind.label) for kind in smears]), refused, familiar)


def overlaps(smears: Sequence[Smear]) -> list[float]:
    """Return the overlap with each box that a person drew; 0 where the cell is not found."""
    shares = []
    for smear in smears:
        if smear.box is not None:
            try:
                shares.append(overlap(white_cell(Picture.decode(smear.data)).area.box(), smear.box))
            except InvalidInput:
                shares.append(0.0)
    return shares


def refused(smears: Sequence[Smear]) -> tuple[int, int]:
    """Return how many quarters of fields far from a white cell's box are refused, and how many there are."""
    count = of = 0
    for smear in smears:
        for part in _empty(smear):
            of += 1
            try:
                white_cell(part)
            except InvalidInput:
                count += 1
    return count, of


def _empty(smear: Smear) -> Iterator[Picture]:
    picture = Picture.decode(smear.data)
    width, height = picture.size[0] // 2, picture.size[1] // 2
    for down, right in _QUARTER:
        box = right * width, down * height, (right + 1) * width, (down + 1) * height
        if smear.box is not None and not _touch(box, smear.box):
            yield picture.replaced(picture.pixels.crop(box))


def _touch(box: Box, other: Box) -> bool:
    across = min(box[2], other[2] + _NEAR) - max(box[0], other[0] - _NEAR)
    return across > 0 and min(box[3], other[3] + _NEAR) - max(box[1], other[1] - _NEAR) > 0
