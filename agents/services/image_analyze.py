"""Say what a picture is: format, size, colours, EXIF and where it was taken.

Width and height are those of the upright picture; mode and EXIF are those of the file as it came. Dominant colours are
found on a reduced copy, transparent pixels left out.
"""

from collections.abc import Mapping
from typing import Annotated

from PIL import Image

from agents.imaging import metadata
from agents.imaging.example import PICTURE
from agents.imaging.picture import Picture
from streams.service import Doc, Record, service

COLOURS = 5
"""Dominant colours at most."""

_REDUCED = 64
"""Pixels of the longer side that are enough to determine the colours."""

_OPAQUE = 128
"""Alpha from which a pixel counts as visible."""


class Request(Record):
    image: Annotated[Picture, Doc("The picture.")]


class Gps(Record):
    """Where the picture was taken, as its file says."""

    latitude: Annotated[float, Doc("Decimal degrees, north is positive.", minimum=-90, maximum=90)]
    longitude: Annotated[float, Doc("Decimal degrees, east is positive.", minimum=-180, maximum=180)]
    altitude: Annotated[float | None, Doc("Metres above the sea.")] = None


class Colour(Record):
    """A colour and how much of the picture has it."""

    hex: Annotated[str, Doc("`#rrggbb` in sRGB.")]
    share: Annotated[float, Doc("Part of the visible pixels.", minimum=0, maximum=1)]


class Response(Record):
    format: Annotated[str, Doc("jpeg, png, webp, gif, bmp or tiff, found from the content.")]
    mode: Annotated[str, Doc("Kind of the stored pixels: RGB, RGBA, L, P (palette), CMYK, I;16, 1 …")]
    width: Annotated[int, Doc("Pixels of the upright picture.")]
    height: Annotated[int, Doc("Pixels of the upright picture.")]
    bytes: Annotated[int, Doc("Size of the file.")]
    frames: Annotated[int, Doc("More than 1 for an animation or a file of several pages; counted up to 1000.")]
    orientation: Annotated[int, Doc("EXIF orientation that was applied: 1 is upright already.", minimum=1, maximum=8)]
    exif: Annotated[Mapping[str, str], Doc("EXIF values by tag name, without the position.")]
    gps: Annotated[Gps | None, Doc("Where it was taken, if its file says so.")] = None
    dominant_colours: Annotated[tuple[Colour, ...], Doc("The most frequent colours, most frequent first.")]


@service("image-analyze", version="1.0.0", timeout=20, memory=2048, example={"image": PICTURE})
def image_analyze(request: Request) -> Response:
    source = request.image.source
    place = metadata.position(source)
    return Response(
        format=source.info.format.value,
        mode=source.mode,
        width=source.size[0],
        height=source.size[1],
        bytes=len(source.data),
        frames=source.info.frames,
        orientation=source.orientation,
        exif=metadata.exif(source),
        gps=Gps(latitude=place[0], longitude=place[1], altitude=place[2]) if place else None,
        dominant_colours=dominant(request.image),
    )


def dominant(picture: Picture) -> tuple[Colour, ...]:
    """List the dominant colours of a picture, the most frequent first; empty when all of it is transparent."""
    small = picture.reduced((min(_REDUCED, picture.size[0]), min(_REDUCED, picture.size[1])))
    small.thumbnail((_REDUCED, _REDUCED))
    rgba = small.convert("RGBA").tobytes()
    visible = b"".join(rgba[at : at + 3] for at in range(0, len(rgba), 4) if rgba[at + 3] >= _OPAQUE)
    if not visible:
        return ()
    reduced = Image.frombytes("RGB", (len(visible) // 3, 1), visible).quantize(COLOURS)
    palette = reduced.getpalette() or []
    counts = sorted(reduced.getcolors() or (), reverse=True)
    total = reduced.width
    return tuple(
        Colour(hex="#" + bytes(palette[3 * index : 3 * index + 3]).hex(), share=round(count / total, 4))
        for count, index in counts
        if isinstance(index, int)
    )
