"""Bringing a picture to what a network takes, and boxes of the network back to the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.imaging.area import Area
from agents.imaging.colour import flat
from agents.imaging.picture import Picture
from agents.objects.description import Pixels

Size = tuple[int, int]


@dataclass(frozen=True)
class Frame:
    """Where the picture lies in the network's input: all of it, at `inner` pixels, from `offset` on."""

    picture: Size
    inner: Size
    offset: tuple[int, int]

    def area(self, left: float, top: float, right: float, bottom: float) -> Area | None:
        """Convert a box of the input to pixels of the picture, clipped to it; None when nothing is left."""
        x, width = _along(left - self.offset[0], right - self.offset[0], self.inner[0], self.picture[0])
        y, height = _along(top - self.offset[1], bottom - self.offset[1], self.inner[1], self.picture[1])
        return Area(x=x, y=y, width=width, height=height) if width and height else None


def _along(start: float, end: float, inner: int, picture: int) -> tuple[int, int]:
    """Where a stretch of the `inner` pixels that show a picture begins in its own pixels, and its length; 0 for nothing."""
    start, end = max(0.0, start), min(float(inner), end)
    if start >= end:
        return 0, 0
    first = min(picture - 1, round(start * picture / inner))
    return first, max(1, round(end * picture / inner) - first)


def frame(picture: Size, size: Size, fit: str) -> Frame:
    """How a picture of one size is put into an input of another."""
    if fit == "stretch":
        return Frame(picture, size, (0, 0))
    by = min(size[0] / picture[0], size[1] / picture[1])
    inner = max(1, round(picture[0] * by)), max(1, round(picture[1] * by))
    return Frame(picture, inner, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))


def tensor(picture: Picture, size: Size, pixels: Pixels) -> tuple[NDArray[np.float32], Frame]:
    """Convert the upright picture to a network's input, and return its frame in it. Raises InvalidInput for a damaged picture."""
    framed = frame(picture.size, size, pixels.fit)
    seen = flat(picture.reduced(framed.inner)).convert("RGB").resize(framed.inner, Image.Resampling.BILINEAR)
    canvas = Image.new("RGB", size, (pixels.fill,) * 3)
    canvas.paste(seen, framed.offset)
    values = np.asarray(canvas, np.float32)
    if pixels.order == "bgr":
        values = values[:, :, ::-1]
    scaled = (values / pixels.divide - np.array(pixels.mean)) / np.array(pixels.std)
    if pixels.channels == "first":
        scaled = scaled.transpose(2, 0, 1)
    return np.ascontiguousarray(scaled[None], np.float32), framed
