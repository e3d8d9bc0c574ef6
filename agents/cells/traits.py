"""What the model looks at: the traits of the white cell in a normalised picture, by their names."""

from collections.abc import Mapping

from agents.cells.find import find
from agents.cells.shape import shape
from agents.cells.stain import Colour, stain
from agents.cells.tint import cytoplasm, tint
from streams.service.errors import InvalidInput

_REACH = 10
"""Pixels between the lobes of one nucleus, in a picture in which the cell has 120."""


def traits(pixels: Colour) -> Mapping[str, float]:
    """Of a picture as `agents.cells.crop` makes it. Raises InvalidInput when it shows no white cell."""
    seen = stain(pixels, blur=1.0)
    cell = find(seen, _REACH)
    if cell is None:
        raise InvalidInput(
            "no white cell is visible: nothing is stained as its nucleus is (purple)",
            "send what cell-preprocess made of a microscope picture",
            "image",
        )
    if not cytoplasm(cell).any():
        raise InvalidInput(
            "the picture shows nothing but a nucleus: there is nothing around it to recognise its type by",
            "send what cell-preprocess made of a microscope picture",
            "image",
        )
    return {**shape(cell), **tint(cell, seen, stain(pixels, blur=0))}
