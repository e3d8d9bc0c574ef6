"""The same photos under worse conditions: smaller, darker, out of focus, on their side; marks go with the pixels."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from io import BytesIO

from PIL import Image, ImageEnhance, ImageFilter

from agents.imaging.faces.detector import LONGEST
from agents.imaging.picture import Picture
from training.faces.truth import Photo

Scene = tuple[Picture, Photo]
"""A picture, and what is known of its faces, in its pixels."""


def as_it_is(photo: Photo) -> Scene:
    """Return the photo unchanged."""
    return Picture.decode(photo.path.read_bytes()), photo


@cache
def _reduced(photo: Photo) -> tuple[Image.Image, Photo]:
    """Scale the photo to the size to which the detectors reduce it anyway."""
    picture = as_it_is(photo)[0]
    width, height = picture.size
    by = min(1.0, LONGEST / max(width, height))
    size = round(width * by), round(height * by)
    return _scaled(picture.reduced(size).convert("RGB"), photo, (width, height), size)


def _scaled(
    pixels: Image.Image, photo: Photo, before: tuple[int, int], size: tuple[int, int]
) -> tuple[Image.Image, Photo]:
    """Pixels of this size, and the marks, which are for a picture of the size `before`."""
    across, down = size[0] / before[0], size[1] / before[1]
    boxes = tuple((x * across, y * down, w * across, h * down) for x, y, w, h in photo.boxes)
    noses = tuple((x * across, y * down) for x, y in photo.noses)
    return pixels.resize(size, Image.Resampling.BOX), replace(photo, boxes=boxes, noses=noses)


def _smaller(by: float) -> Callable[[Photo], Scene]:
    def scene(photo: Photo) -> Scene:
        reduced, known = _reduced(photo)
        size = max(1, round(reduced.width * by)), max(1, round(reduced.height * by))
        pixels, known = _scaled(reduced, known, reduced.size, size)
        return _picture(pixels), known

    return scene


def _changed(change: Callable[[Image.Image], Image.Image]) -> Callable[[Photo], Scene]:
    def scene(photo: Photo) -> Scene:
        pixels, known = _reduced(photo)
        return _picture(change(pixels)), known

    return scene


def _turned(photo: Photo) -> Scene:
    pixels, known = _reduced(photo)
    boxes = tuple((pixels.height - y - h, x, h, w) for x, y, w, h in known.boxes)
    noses = tuple((pixels.height - y, x) for x, y in known.noses)
    return _picture(pixels.transpose(Image.Transpose.ROTATE_270)), replace(known, boxes=boxes, noses=noses)


def mirrored(picture: Picture) -> Picture:
    """Flip the picture from left to right."""
    return picture.replaced(picture.pixels.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def _picture(pixels: Image.Image) -> Picture:
    out = BytesIO()
    pixels.save(out, "PNG", compress_level=1)
    return Picture.decode(out.getvalue())


CONDITIONS: Mapping[str, Callable[[Photo], Scene]] = {
    "as they are": as_it_is,
    "at half the size": _smaller(1 / 2),
    "at a quarter of the size": _smaller(1 / 4),
    "a quarter as bright": _changed(lambda pixels: ImageEnhance.Brightness(pixels).enhance(0.25)),
    "out of focus (a Gaussian of 3 pixels)": _changed(lambda pixels: pixels.filter(ImageFilter.GaussianBlur(3))),
    "on their side, and no EXIF that says so": _turned,
}
"""What is done to the photos; sizes are relative to what a detector sees, whose longer side is at most LONGEST."""
