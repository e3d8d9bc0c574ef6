"""Pictures to send, good and bad, and what to look at in those that come back."""

import hashlib
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from PIL import Image

NOSE = 224, 120
"""A point in the face of the astronaut, found by eye."""

Pixels = np.ndarray[Any, np.dtype[np.float64]]


def astronaut() -> bytes:
    """A 512 x 512 PNG of one person, which scikit-image's package brings."""
    return (Path(skimage.__file__).parent / "data" / "astronaut.png").read_bytes()


def from_camera() -> bytes:
    """The astronaut as a camera held sideways stores it: a JPEG turned by 90 degrees, with where and how it was taken."""
    turned = Image.open(BytesIO(astronaut())).convert("RGB").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise
    exif[0x010F] = "A camera maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    return saved(turned, "JPEG", exif=exif, quality=95)


def small(size: tuple[int, int] = (48, 32), shade: int = 90) -> bytes:
    """A small PNG with something in it."""
    image = Image.new("RGB", size, (shade, 120, 200))
    image.paste((250, 40, 40), (4, 4, size[0] // 2, size[1] // 2))
    return saved(image, "PNG")


def bomb() -> bytes:
    """A PNG of a few bytes whose header promises 3.6 thousand million pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + _chunk(b"IEND", b"")
    )


def corrupt() -> bytes:
    """A PNG with a sound header and pixels that are none."""
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"no deflated pixels") + _chunk(b"IEND", b"")
    )


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """An image as a file."""
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """A file as an image, decoded whole."""
    image = Image.open(BytesIO(data))
    image.load()
    return image


def pixels(image: Image.Image) -> Pixels:
    """Rows, columns, colours."""
    return np.asarray(image.convert("RGB"), dtype=np.float64)


def sharpness(part: Pixels) -> float:
    """The mean square difference between neighbours: what a blur takes away."""
    grey = part.mean(axis=2)
    return float(np.square(np.diff(grey, axis=0)).mean() + np.square(np.diff(grey, axis=1)).mean())


def sha256(data: bytes) -> str:
    """Its hexadecimal digest."""
    return hashlib.sha256(data).hexdigest()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
