"""Pictures for tests, and running a service on them as a pool child does."""

import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import skimage
from PIL import Image

from agents import discovery
from streams.service.child_calls import call
from streams.service.invocation import Invocation

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)

Colour = tuple[int, ...]


def astronaut() -> bytes:
    """A 512 x 512 PNG with one face, which scikit-image's package brings."""
    return (Path(skimage.__file__).parent / "data" / "astronaut.png").read_bytes()


def corners(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Image.Image:
    """A picture of four flat quarters: red and green above, blue and white below."""
    image = Image.new("RGB", size)
    middle = size[0] // 2, size[1] // 2
    for colour, box in (
        (RED, (0, 0, *middle)),
        (GREEN, (middle[0], 0, size[0], middle[1])),
        (BLUE, (0, middle[1], middle[0], size[1])),
        (WHITE, (*middle, *size)),
    ):
        image.paste(colour, box)
    return image.convert(mode)


def file(image: Image.Image, format: str = "png", **options: Any) -> bytes:
    """An image as a file."""
    out = BytesIO()
    image.save(out, format.upper(), **options)
    return out.getvalue()


def ref(data: bytes) -> dict[str, Any]:
    """A record's reference to these bytes."""
    sha256 = hashlib.sha256(data).hexdigest()
    return {"bucket": "b", "key": f"k/{sha256}", "size": len(data), "sha256": sha256, "media_type": "image/unknown"}


def run(name: str, data: bytes, **inputs: Any) -> Invocation:
    """The service of this name on one picture."""
    reference = ref(data)
    return call(discovery.registry()[name], name, {"image": reference, **inputs}, {reference["sha256"]: data})


def result(invocation: Invocation, index: int = 0) -> Image.Image:
    """A picture that a service made, decoded by Pillow alone."""
    image = Image.open(BytesIO(invocation.objects[index].data))
    image.load()
    return image


def at(image: Image.Image, x: int, y: int) -> Colour:
    """A pixel as red, green and blue."""
    pixel = image.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


def near(seen: Colour, wanted: Colour, by: int = 12) -> bool:
    """Whether two colours differ by no more than a lossy format may make them."""
    return all(abs(a - b) <= by for a, b in zip(seen, wanted, strict=True))


def quarters(image: Image.Image, by: int = 12) -> bool:
    """Whether an image shows `corners`, upright, at any size."""
    width, height = image.size
    places: Mapping[Colour, tuple[int, int]] = {
        RED: (width // 4, height // 4),
        GREEN: (3 * width // 4, height // 4),
        BLUE: (width // 4, 3 * height // 4),
        WHITE: (3 * width // 4, 3 * height // 4),
    }
    return all(near(at(image, *place), colour, by) for colour, place in places.items())
