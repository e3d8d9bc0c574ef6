"""Blur areas of a picture until nothing in them can be recognised.

Each area is blurred with a radius that grows with `strength` and with the area's shorter side, using only the pixels
inside the area. Areas are clipped to the picture; with no areas, the picture comes back with its pixels untouched.
"""

from typing import Annotated

from PIL import Image, ImageFilter

from agents.imaging.area import Area
from agents.imaging.example import PICTURE
from agents.imaging.picture import Picture
from streams.service import Doc, Record, service


class Request(Record):
    image: Annotated[Picture, Doc("The picture.")]
    areas: Annotated[tuple[Area, ...], Doc("What to blur, in pixels of the upright picture.")]
    strength: Annotated[float, Doc("0 leaves the areas as they are, 1 leaves one blot.", minimum=0, maximum=1)] = 0.8


class Response(Record):
    image: Annotated[Picture, Doc("The picture in the format it came in, with its areas blurred.")]


@service(
    "image-blur",
    version="1.0.0",
    timeout=20,
    memory=2048,
    example={"image": PICTURE, "areas": [{"x": 8, "y": 8, "width": 16, "height": 16}], "strength": 0.8},
)
def image_blur(request: Request) -> Response:
    parts = [part for area in request.areas if (part := area.clipped(request.image.size))]
    if not parts or request.strength == 0:
        return Response(image=request.image)
    pixels = request.image.pixels.copy()
    for part in parts:
        radius = request.strength * _SPREAD * min(part.width, part.height)
        pixels.paste(_blurred(pixels.crop(part.box()), radius), part.box())
    return Response(image=request.image.replaced(pixels))


_SPREAD = 0.3
"""Blur radius as a part of the shorter side, at strength 1: three eyes wide on a face."""

_PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}
"""Colours of transparent pixels must not bleed into what is seen."""


def _blurred(part: Image.Image, radius: float) -> Image.Image:
    mode = _PREMULTIPLIED.get(part.mode)
    blur = ImageFilter.GaussianBlur(radius)
    return part.convert(mode).filter(blur).convert(part.mode) if mode else part.filter(blur)
