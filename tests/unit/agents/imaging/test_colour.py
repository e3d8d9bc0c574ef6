"""Colours are what a profile's curves and primaries make of them, whatever its name says."""

import pytest
from PIL import Image

from agents.imaging.colour import is_srgb
from agents.imaging.picture import Picture
from tests.unit.agents.pictures import at, file, near
from tests.unit.agents.profiles import SRGB, WIDE, gamma, matrix_profile, srgb_curve

NAME = b"sRGB IEC61966-2.1"


@pytest.mark.parametrize("format", ["png", "jpeg", "tiff"])
@pytest.mark.parametrize(
    ("profile", "shade", "wanted"),
    [
        (matrix_profile(NAME, SRGB, gamma(1.0)), (128, 128, 128), (188, 188, 188)),
        (matrix_profile(NAME, SRGB, gamma(1.8)), (128, 128, 128), (146, 146, 146)),
        (matrix_profile(b"c2", SRGB, gamma(1.0)), (128, 128, 128), (188, 188, 188)),
        (matrix_profile(NAME, WIDE, srgb_curve(1024)), (200, 100, 100), (213, 95, 97)),
    ],
    ids=["linear", "gamma 1.8", "linear under another name", "wide"],
)
def test_a_name_decides_nothing(
    format: str, profile: bytes, shade: tuple[int, int, int], wanted: tuple[int, int, int]
) -> None:
    """A profile that is called sRGB and has another curve or other primaries is applied."""
    options = {"quality": 95} if format == "jpeg" else {}
    pixels = Picture.decode(file(Image.new("RGB", (16, 16), shade), format, icc_profile=profile, **options)).pixels
    assert near(at(pixels, 8, 8), wanted, 2)


@pytest.mark.parametrize("points", [1024, 26])
@pytest.mark.parametrize("name", [NAME, b"a camera"])
def test_srgb_is_left_alone(name: bytes, points: int) -> None:
    """By any name, and also where its curve is held in few points: pixels are not changed, and a JPEG not encoded anew."""
    profile = matrix_profile(name, SRGB, srgb_curve(points))
    assert is_srgb(profile)
    picture = Picture.decode(file(Image.new("RGB", (16, 16), (128, 64, 32)), "png", icc_profile=profile))
    assert at(picture.pixels, 8, 8) == (128, 64, 32)
    assert picture.source.normal
