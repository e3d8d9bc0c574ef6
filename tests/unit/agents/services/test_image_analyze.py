"""image-analyze says what a file is, and reads no nonsense into broken metadata."""

import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from agents.imaging import metadata
from agents.imaging.source import Source
from streams.service.media import Format
from tests.unit.agents.pictures import corners, file, run


def _located(**changes: Any) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Model] = "A camera\0"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] = 200
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"\1\2\3" * 500
    place = {
        "GPSLatitudeRef": "S",
        "GPSLatitude": (33.0, 51.0, 21.6),
        "GPSLongitudeRef": "E",
        "GPSLongitude": (151.0, 12.0, 30.0),
        "GPSAltitude": 19.5,
        "GPSAltitudeRef": b"\0",
    } | changes
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {ExifTags.GPS.__members__[name].value: value for name, value in place.items()}
    )
    return file(corners(), "jpeg", exif=exif)


@pytest.mark.parametrize("format", Format)
def test_format_and_size(format: Format) -> None:
    """Format, size and bytes are those of the file."""
    data = file(corners(), format.value)
    said = run("image-analyze", data).output
    assert (said["format"], said["width"], said["height"], said["bytes"]) == (format.value, 64, 48, len(data))
    assert (said["frames"], said["orientation"], said["gps"]) == (1, 1, None)


def test_exif_and_position() -> None:
    """EXIF is readable text by tag name, the position is decimal degrees, and the size is of the upright picture."""
    said = run("image-analyze", _located()).output
    assert (said["width"], said["height"], said["orientation"]) == (48, 64, 6)
    assert said["exif"]["Model"] == "A camera"
    assert said["exif"]["ISOSpeedRatings"] == "200"
    assert "MakerNote" not in said["exif"]
    assert said["gps"] == {"latitude": -33.856, "longitude": pytest.approx(151.2083333), "altitude": 19.5}


@pytest.mark.parametrize("degrees", [(33, 0), (133, 1), (0xFFFFFFFF, 1)])
def test_a_broken_position_is_none(degrees: tuple[int, int]) -> None:
    """Degrees that cannot be, or that are divided by nothing, are no position."""
    data = _located().replace(struct.pack(">II", 33, 1), struct.pack(">II", *degrees))
    assert data != _located()
    said = run("image-analyze", data).output
    assert said["gps"] is None
    assert said["exif"]["Model"] == "A camera"


def test_below_the_sea() -> None:
    """An altitude below the sea is negative."""
    assert run("image-analyze", _located(GPSAltitudeRef=b"\1")).output["gps"]["altitude"] == -19.5


def test_dominant_colours() -> None:
    """Flat quarters are found as the four colours they are, a quarter each."""
    colours = run("image-analyze", file(corners())).output["dominant_colours"]
    assert {colour["hex"] for colour in colours} == {"#ff0000", "#00ff00", "#0000ff", "#ffffff"}
    assert all(colour["share"] == pytest.approx(0.25, abs=0.03) for colour in colours)


def test_the_most_frequent_colour_comes_first() -> None:
    """Colours are in the order of how much of the picture has them."""
    image = Image.new("RGB", (100, 100), (250, 200, 10))
    image.paste((10, 20, 30), (0, 0, 20, 100))
    shares = [colour["share"] for colour in run("image-analyze", file(image)).output["dominant_colours"]]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(0.8, abs=0.03)


def test_hidden_colours_do_not_count() -> None:
    """Transparent pixels have no colour; a picture of nothing else has none at all."""
    image = corners().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 64, 24))
    seen = {colour["hex"] for colour in run("image-analyze", file(image)).output["dominant_colours"]}
    assert seen == {"#0000ff", "#ffffff"}
    image.putalpha(0)
    assert run("image-analyze", file(image)).output["dominant_colours"] == []


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_texts_beyond_ascii(format: str, order: str) -> None:
    """Texts are in UTF-8 as everybody writes them, Windows' own in UTF-16, and what is no UTF-8 is Latin-1."""
    exif = Image.Exif()
    exif.endian = order
    exif[ExifTags.Base.ImageDescription] = "Zürich – 湖".encode()
    exif[ExifTags.Base.Artist] = "Ærøskøbing".encode("latin-1")
    exif[ExifTags.Base.XPTitle] = "Жёлтая 湖 😀\0".encode("utf-16-le")
    said = run("image-analyze", file(corners(), format, exif=exif)).output["exif"]
    assert said["ImageDescription"] == "Zürich – 湖"
    assert said["Artist"] == "Ærøskøbing"
    assert said["XPTitle"] == "Жёлтая 湖 😀"


@pytest.mark.parametrize("encoded", [b"UNICODE\0" + "schön".encode("utf-16"), b"ASCII\0\0\0" + "schön".encode()])
def test_a_comment_is_read_as_it_says(encoded: bytes) -> None:
    """A comment names its own encoding in its first eight bytes, which are no part of it."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = encoded
    assert run("image-analyze", file(corners(), "jpeg", exif=exif)).output["exif"] == {"UserComment": "schön"}


def test_looking_for_exif_decodes_nothing() -> None:
    """A PNG without EXIF was decoded a second time, all of it, only to find no position in it."""
    source = Source(file(corners(), "png"))
    assert (metadata.exif(source), metadata.position(source)) == ({}, None)
    assert source.header.tile


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "mode", "frames"),
    [
        ("16bit.cropped.tif", "I;16", 1),
        ("dispose_bgnd.gif", "P", 5),
        ("pil_sample_cmyk.jpg", "CMYK", 1),
        ("transparent.png", "RGBA", 1),
        ("hopper.bmp", "RGB", 1),
    ],
)
def test_public_pictures(data: Path, name: str, mode: str, frames: int) -> None:
    """Modes and frames of real files are said as they are."""
    said = run("image-analyze", (data / "images" / name).read_bytes()).output
    assert (said["mode"], said["frames"]) == (mode, frames)


@pytest.mark.data
def test_a_photo_with_a_position_that_is_none(data: Path) -> None:
    """The collection's photo with broken GPS has EXIF and no position."""
    said = run("image-analyze", (data / "images" / "exif_gps.jpg").read_bytes()).output
    assert said["exif"]["DateTimeOriginal"] == "2099:09:29 10:10:10"
    assert said["gps"] is None
