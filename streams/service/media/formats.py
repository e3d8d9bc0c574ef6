"""Finds out from its content what an uploaded object really is, and refuses it before any decoder sees its pixels."""

import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

from streams.service.errors import InvalidInput
from streams.service.media import frames
from streams.service.media.header_reader import Header

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


class Format(StrEnum):
    """The picture formats that services take and give."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    BMP = "bmp"
    TIFF = "tiff"

    @property
    def media_type(self) -> str:
        """`image/jpeg`, …"""
        return f"image/{self.value}"


ALLOWED = ", ".join(Format)


@dataclass(frozen=True)
class Limits:
    """The most that a picture may be."""

    size: int = 25 * 1024 * 1024
    """Bytes of the file."""
    pixels: int = 64_000_000
    """Width times height, as the header says."""


LIMITS = Limits()


@dataclass(frozen=True)
class MediaInfo:
    """What the header of a picture says."""

    media_type: str
    format: Format
    width: int
    """Pixels, before an EXIF orientation is applied (but after a TIFF's own)."""
    height: int
    frames: int
    """1 for a still; frames of an animation or pages of a TIFF, counted up to `frames.MOST`."""


def inspect(data: bytes, limits: Limits = LIMITS) -> MediaInfo:
    """Return what a picture is, from its first bytes and header alone. Raises InvalidInput with a reason and a hint."""
    return open_header(data, limits)[0]


def open_header(data: bytes, limits: Limits = LIMITS) -> "tuple[MediaInfo, ImageFile]":
    """Do as `inspect`, and return the picture opened with its own format's reader only; no pixel is decoded yet."""
    if len(data) > limits.size:
        raise InvalidInput(
            f"the file has {len(data):,} bytes, more than the {limits.size:,} allowed",
            "send a smaller or more compressed picture",
        )
    format = sniff(data)
    try:
        stream = Header(data)
        image = _readers()[format](stream)
        stream.ended()
        known = getattr(image, "n_frames", 1) if format in _COUNTED_AT_OPEN else 1
        count = frames.count(format.value, data, known)
    except MemoryError:
        raise
    except Exception as error:  # readers raise a dozen kinds; all of them come from these bytes
        raise InvalidInput(
            f"the {format} header cannot be read: {_said(error)}", "the file is damaged: export it again"
        ) from error
    width, height = image.size
    if width * height > limits.pixels:
        raise InvalidInput(
            f"the picture has {width} x {height} = {width * height:,} pixels, more than the {limits.pixels:,} allowed",
            "send it scaled down",
        )
    return MediaInfo(format.media_type, format, width, height, count), image


def sniff(data: bytes) -> Format:
    """Return the format of the content, whatever the file's name is. Raises InvalidInput for one that is not allowed."""
    if not data:
        raise InvalidInput("the file is empty", f"send a picture: {ALLOWED}")
    for format, matches in _MAGIC:
        if matches(data):
            return format
    kind = next((name for name, offset, magic in _OTHERS if data.startswith(magic, offset)), "")
    looks = f"the content is {kind}, which is not allowed" if kind else "the content is no picture of a known format"
    raise InvalidInput(looks, f"send one of {ALLOWED}; the file's name does not matter")


def _starts(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(magics)


_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})

_MAGIC: tuple[tuple[Format, Callable[[bytes], bool]], ...] = (
    (Format.JPEG, _starts(b"\xff\xd8\xff")),
    (Format.PNG, _starts(b"\x89PNG\r\n\x1a\n")),
    (Format.GIF, _starts(b"GIF87a", b"GIF89a")),
    (Format.WEBP, lambda data: data.startswith(b"RIFF") and data[8:12] == b"WEBP"),
    (Format.TIFF, _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    # Two letters are too little to go by: the size of the header that follows must be a known one as well.
    (Format.BMP, lambda data: data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADERS),
)

_OTHERS: tuple[tuple[str, int, bytes], ...] = (
    ("HEIC", 4, b"ftyphei"),
    ("HEIF", 4, b"ftypmif1"),
    ("AVIF", 4, b"ftypavif"),
    ("JPEG 2000", 4, b"jP  "),
    ("JPEG XL", 0, b"\xff\x0a"),
    ("JPEG XL", 4, b"JXL "),
    ("video (MP4)", 4, b"ftyp"),
    ("PDF", 0, b"%PDF"),
    ("PostScript", 0, b"%!PS"),
    ("SVG", 0, b"<svg"),
    ("XML", 0, b"<?xml"),
    ("HTML", 0, b"<!"),
    ("HTML", 0, b"<html"),
    ("Photoshop", 0, b"8BPS"),
    ("an icon (ICO)", 0, b"\0\0\1\0"),
    ("a ZIP archive", 0, b"PK\3\4"),
    ("gzip", 0, b"\x1f\x8b"),
)
"""Formats that people do send, so that the refusal can name them: name, offset, magic."""

_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
"""Which end of the shades of a TIFF is white (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf)."""

_COUNTED_AT_OPEN = frozenset({Format.PNG, Format.WEBP})


@cache
def _readers() -> "dict[Format, Callable[[BytesIO], ImageFile]]":
    """Return the reader of each format. Imported only now: the core of the package must not need Pillow."""
    from PIL import (
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    # Pillow knows deep grey with black at 0 only, or in one byte order only; the code that decodes the pixels inverts or swaps them.
    for order, mode in ((b"II", "I;16"), (b"MM", "I;16B")):
        for photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
            for bits, unpacked in ((16, (mode, mode)), (12, ("I;16", "I;12"))):
                TiffImagePlugin.OPEN_INFO.setdefault((order, photometric, (1,), 1, (bits,), ()), unpacked)
    # A stranger's file decides how many of them there are: two for each broken tag of a TIFF, each kept for good.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return {
        Format.JPEG: JpegImagePlugin.JpegImageFile,
        Format.PNG: PngImagePlugin.PngImageFile,
        Format.WEBP: WebPImagePlugin.WebPImageFile,
        Format.GIF: GifImagePlugin.GifImageFile,
        Format.BMP: BmpImagePlugin.BmpImageFile,
        Format.TIFF: TiffImagePlugin.TiffImageFile,
    }


def _said(error: Exception) -> str:
    if isinstance(error, struct.error | IndexError | EOFError):
        return "it ends too early"
    return str(error) or type(error).__name__
