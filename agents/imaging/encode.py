"""Writing pixels as a file: what each format can hold, and nothing but the pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from agents.imaging.colour import flat
from agents.imaging.source import Source
from streams.service.errors import InvalidInput
from streams.service.media import Format

QUALITY = 90
"""Default quality of JPEG and WebP, 1 to 100."""


WEBP_METHOD = 2
"""How long libwebp looks for the smallest WebP with loss, 0 to 6. On photos and scans 2 takes half the time of its own default, 4; the
files are 0 to 4 % larger and up to 0.6 dB further from the source. Patterns of nothing but hard edges become 10 to 40 % larger
(`python -m tests.benchmarks.bench_pictures`)."""


@dataclass(frozen=True)
class Rule:
    """How one format is written."""

    modes: Mapping[str, str]
    """What the working modes become, where the format cannot hold them."""
    most: int
    """Pixels that a side may have."""
    options: Mapping[str, Any]
    alpha: bool = True


_COLOUR = {"L": "RGB", "LA": "RGBA"}

RULES: Mapping[Format, Rule] = {
    Format.JPEG: Rule({}, 65_500, {}, alpha=False),
    Format.PNG: Rule({}, 2**31 - 1, {"compress_level": 4}),  # a third of the time of level 6, and a hundredth larger
    Format.WEBP: Rule(_COLOUR, 16_383, {}),
    Format.GIF: Rule({"LA": "RGBA"}, 65_535, {}),
    Format.BMP: Rule({}, 2**31 - 1, {}, alpha=False),
    Format.TIFF: Rule({}, 2**31 - 1, {"compression": "tiff_lzw"}),
}

_PLUGINS = (BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
"""Imported so that Pillow finds the writers without loading those of every other format."""


def encode(image: Image.Image, format: Format, options: Mapping[str, Any]) -> bytes:
    """Encode a picture in the working form; alpha is flattened onto white where the format has none.

    Raises InvalidInput for a picture that is too large for the format.
    """
    rule = RULES[format]
    if max(image.size) > rule.most:
        raise InvalidInput(
            f"a {format} picture has at most {rule.most} pixels a side, this one is {image.width} x {image.height}",
            "take another format or a smaller picture",
        )
    if not rule.alpha:
        image = flat(image)
    if image.mode in rule.modes:
        image = image.convert(rule.modes[image.mode])
    out = BytesIO()
    image.save(out, format.value.upper(), **rule.options, **options)
    return out.getvalue()


def lossy(format: Format, quality: int) -> dict[str, Any]:
    """Return the encoder's options for a quality of 1 to 100; empty for formats without one."""
    match format:
        case Format.JPEG:
            return {"quality": quality}
        case Format.WEBP:
            return {"quality": quality, "method": WEBP_METHOD}
    return {}


def like(source: Source, mode: str) -> dict[str, Any]:
    """Return the options that encode pixels of `mode` as the source was: with a JPEG's own tables, a lossless WebP without loss."""
    match source.info.format:
        case Format.JPEG:
            tables = source.jpeg_tables()
            if tables is None:
                return lossy(Format.JPEG, QUALITY)
            sampling = {"subsampling": source.jpeg_sampling()} if mode == "RGB" and source.mode == "RGB" else {}
            return {"qtables": tables, **sampling}
        case Format.WEBP:
            return {"lossless": True} if source.lossless else lossy(Format.WEBP, QUALITY)
    return {}
