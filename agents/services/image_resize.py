"""Scale a picture to a width, a height or both.

With one of the two, the other follows the picture's shape. With both, `fit` says how: `contain` gives the largest
picture that fits inside, `cover` fills all of it and cuts off equal parts at both sides, `stretch` changes the
picture's shape.

To two thirds or less a picture goes by a Hamming filter, which takes half the time of Lanczos's: on ten photos and scans the two
results differ by 36 to 45 dB (a page of small print by 33), and what is shown is 0.1 to 1.5 dB further from the original. Near the
full size and above, where it would be up to 6 dB, Lanczos stays (`python -m tests.benchmarks.bench_pictures`).
"""

from enum import StrEnum
from typing import Annotated

from PIL import Image

from agents.imaging.area import Box
from agents.imaging.example import PICTURE
from agents.imaging.picture import Picture
from agents.imaging.source import Size
from streams.service import LIMITS, Doc, InvalidInput, Record, service


class Fit(StrEnum):
    CONTAIN = "contain"
    COVER = "cover"
    STRETCH = "stretch"


class Request(Record):
    image: Annotated[Picture, Doc("The picture.")]
    width: Annotated[int | None, Doc("Pixels; may be missing when height is given.", minimum=1, maximum=16383)] = None
    height: Annotated[int | None, Doc("Pixels; may be missing when width is given.", minimum=1, maximum=16383)] = None
    fit: Annotated[Fit, Doc("What to do with both width and height.")] = Fit.CONTAIN


class Response(Record):
    image: Annotated[Picture, Doc("The scaled picture in the format it came in.")]


@service(
    "image-resize",
    version="1.0.0",
    timeout=20,
    memory=2048,
    example={"image": PICTURE, "width": 16},
)
def image_resize(request: Request) -> Response:
    full = request.image.size
    size, box = plan(full, request.width, request.height, request.fit)
    if size[0] * size[1] > LIMITS.pixels:
        raise InvalidInput(
            f"the result would have {size[0]} x {size[1]} pixels, more than {LIMITS.pixels:,}", "ask for less", "width"
        )
    seen = box[2] - box[0], box[3] - box[1]
    needed = min(full[0], _SPARE * size[0] * full[0] // seen[0]), min(full[1], _SPARE * size[1] * full[1] // seen[1])
    pixels = request.image.reduced(needed)
    scale = pixels.width / full[0], pixels.height / full[1]
    part = (box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1])
    resized = pixels.resize(size, resampling(seen, size), part, reducing_gap=3.0)
    return Response(image=request.image.replaced(resized))


_SPARE = 3
"""How much larger than shown a photo is decoded at least: with less, fine detail differs by several grey levels."""


_SMALLER = 2 / 3
"""Scale up to which the faster filter is used; see above."""


def resampling(seen: Size, size: Size) -> Image.Resampling:
    """Choose the filter that scales the visible part (in pixels of the full picture) to a size."""
    scale = max(size[0] / seen[0], size[1] / seen[1])
    return Image.Resampling.HAMMING if scale <= _SMALLER else Image.Resampling.LANCZOS


def plan(full: Size, width: int | None, height: int | None, fit: Fit) -> tuple[Size, Box]:
    """Plan the size of the result and the part of the picture that it shows. Raises InvalidInput without width and height."""
    whole = (0, 0, *full)
    if width is not None and height is None:
        return (width, _side(full[1] * width / full[0])), whole
    if height is not None and width is None:
        return (_side(full[0] * height / full[1]), height), whole
    if width is None or height is None:
        raise InvalidInput("both width and height are missing", "give at least one of them", "width")
    match fit:
        case Fit.STRETCH:
            return (width, height), whole
        case Fit.CONTAIN:
            scale = min(width / full[0], height / full[1])
            return (min(width, _side(full[0] * scale)), min(height, _side(full[1] * scale))), whole
        case Fit.COVER:
            scale = max(width / full[0], height / full[1])
            shown = min(full[0], _side(width / scale)), min(full[1], _side(height / scale))
            left, top = (full[0] - shown[0]) // 2, (full[1] - shown[1]) // 2
            return (width, height), (left, top, left + shown[0], top + shown[1])


def _side(pixels: float) -> int:
    return max(1, round(pixels))
