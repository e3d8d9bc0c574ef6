"""A rectangle of a picture."""

from typing import Annotated

from streams.service.contract import Doc, Record
from streams.service.errors import InvalidInput

Box = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom are the first pixels outside."""


class Area(Record, shared=True):
    """A rectangle in pixels of the upright picture (EXIF orientation applied)."""

    x: Annotated[int, Doc("Left edge, from 0 at the left of the picture.")]
    y: Annotated[int, Doc("Top edge, from 0 at the top of the picture.")]
    width: Annotated[int, Doc("Pixels.", minimum=1)]
    height: Annotated[int, Doc("Pixels.", minimum=1)]

    def box(self) -> Box:
        """Return the edges in pixels: left, top, right, bottom."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    def clipped(self, size: tuple[int, int]) -> "Area | None":
        """Return the part inside a picture of this width and height; None when all of it is outside."""
        left, top, right, bottom = self.box()
        left, top, right, bottom = max(0, left), max(0, top), min(size[0], right), min(size[1], bottom)
        return Area(x=left, y=top, width=right - left, height=bottom - top) if left < right and top < bottom else None

    def inside(self, size: tuple[int, int], where: str) -> "Area":
        """Return the area itself when all of it lies in a picture of this size. Raises InvalidInput that names `where`."""
        if self.clipped(size) != self:
            raise self._outside("lies outside", size, where)
        return self

    def touching(self, size: tuple[int, int], where: str) -> "Area":
        """Return the part inside a picture of this size. Raises InvalidInput that names `where` when all of it is outside."""
        part = self.clipped(size)
        if part is None:
            raise self._outside("lies wholly outside", size, where)
        return part

    def _outside(self, how: str, size: tuple[int, int], where: str) -> InvalidInput:
        place = f"x={self.x}, y={self.y}, {self.width} x {self.height}"
        return InvalidInput(
            f"the area ({place}) {how} of the picture ({size[0]} x {size[1]})",
            "areas are in pixels of the upright picture",
            where,
        )
