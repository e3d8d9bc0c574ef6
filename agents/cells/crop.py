"""The white cell of a picture as the model wants it: in the middle, always as large, under the same light."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from agents.cells.find import Cell, find
from agents.cells.stain import PLASMA, Colour, plasma, stain
from agents.imaging.area import Area
from agents.imaging.colour import flat
from agents.imaging.picture import Picture
from streams.service.errors import InvalidInput

SIDE = 160
"""Pixels a side of what is made."""

LONGER = 120
"""Pixels of the cell's longer side in it; around it stays some of its neighbourhood."""

_LONGEST, _SHORTEST = 640, 320
"""Pixels of the longer side that is looked at: larger pictures are scaled down to it, smaller ones up."""

_REACH = 8, 20
"""Pixels between the lobes of one nucleus: in a field of many cells, and in a picture of one."""

_FIELD = 400
"""Pixels of the longer side from which on a picture is a field of many cells."""

_MARGIN = 0.02
"""Of the cell's longer side, by which its area is larger than what was found stained."""

_LEAST = 40
"""Pixels of a picture's shorter side in which a cell can be recognised."""


@dataclass(frozen=True)
class Found:
    """What is made of a picture."""

    pixels: Colour
    """SIDE x SIDE; plasma has the level PLASMA, also where the picture ended."""
    area: Area
    """Of the cell, in the upright picture."""
    cells: int
    """White cells in the picture."""

    def image(self) -> Image.Image:
        """Return the pixels as an image that can be written to a file."""
        return Image.fromarray(self.pixels)


def white_cell(picture: Picture) -> Found:
    """Find the white cell with the largest nucleus. Raises InvalidInput when the picture shows no white cell."""
    width, height = picture.size
    if min(width, height) < _LEAST:
        raise InvalidInput(
            f"the picture has {width} x {height} pixels, too few for a cell",
            "send a microscope picture of a stained blood smear",
            "image",
        )
    seen = looked_at(picture)
    light = plasma(seen)
    whole = find(stain(seen, light), _REACH[max(width, height) < _FIELD])
    if whole is None:
        raise InvalidInput(
            "no white cell is visible: nothing is stained as its nucleus is (purple), or only small spots are",
            "send a microscope picture of a blood smear with Wright's or Giemsa's stain, with a white cell in it",
            "image",
        )
    across, down = width / seen.shape[1], height / seen.shape[0]
    left, top, right, bottom = whole.box
    margin = int(_MARGIN * max(right - left, bottom - top))
    area = Area(
        x=int((left - margin) * across),
        y=int((top - margin) * down),
        width=max(1, round((right - left + 2 * margin) * across)),
        height=max(1, round((bottom - top + 2 * margin) * down)),
    ).touching(picture.size, "image")
    normal = np.clip(seen * (PLASMA / np.maximum(light, 1)), 0, 255).astype(np.uint8)
    return Found(_cut(normal, whole), area, whole.cells)


def cut_out(picture: Picture) -> Colour:
    """Return the pixels of a picture that `white_cell` cut out: SIDE x SIDE, RGB. Raises InvalidInput for any other size."""
    if picture.size != (SIDE, SIDE):
        raise InvalidInput(
            f"the picture has {picture.size[0]} x {picture.size[1]} pixels, and a cell that was cut out has {SIDE} x {SIDE}",
            "send it through cell-preprocess first, or to the pipeline classify-cell, which does both",
            "image",
        )
    return np.asarray(flat(picture.pixels).convert("RGB"), np.uint8)


def looked_at(picture: Picture) -> Colour:
    """Return the upright pixels in RGB, scaled to the size at which cells are looked for."""
    width, height = picture.size
    longer = max(width, height)
    scale = min(1.0, _LONGEST / longer) if longer > _SHORTEST else _SHORTEST / longer
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = flat(picture.reduced(size)).convert("RGB")
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX)
    return np.asarray(image, np.uint8)


def _cut(pixels: Colour, cell: Cell) -> Colour:
    left, top, right, bottom = cell.box
    scale = LONGER / max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    place = np.array([[scale, 0, SIDE / 2 - x * scale], [0, scale, SIDE / 2 - y * scale]], np.float32)
    smooth = cv2.GaussianBlur(pixels, (0, 0), 0.5 / scale - 0.48) if scale < 1 else pixels
    empty = (PLASMA, PLASMA, PLASMA)
    cut = cv2.warpAffine(smooth, place, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderValue=empty)
    return np.asarray(cut, np.uint8)
