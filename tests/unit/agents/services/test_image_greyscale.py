"""image-greyscale shows luminance, whatever the picture is stored as."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from streams.service.media import Format
from tests.unit.agents.pictures import astronaut, corners, file, result, run

LUMINANCE = {(16, 12): 76, (48, 12): 150, (16, 36): 29, (48, 36): 255}
"""By ITU-R BT.601, of red, green, blue and white."""


@pytest.mark.parametrize("format", Format)
def test_luminance(format: Format) -> None:
    """Every format keeps its own, and each colour gets its luminance."""
    invocation = run("image-greyscale", file(corners(), format.value))
    assert invocation.objects[0].media_type == format.media_type
    grey = result(invocation).convert("RGB")
    for place, wanted in LUMINANCE.items():
        pixel = grey.getpixel(place)
        assert isinstance(pixel, tuple)
        assert max(pixel) - min(pixel) <= 4
        assert abs(pixel[0] - wanted) <= 5


def test_a_photo() -> None:
    """The short way through a JPEG gives what decoding its colours first gives."""
    photo = file(Image.open(BytesIO(astronaut())), "jpeg", quality=95)
    grey = np.asarray(result(run("image-greyscale", photo)))
    wanted = np.asarray(Image.open(BytesIO(photo)).convert("L")).astype(int)
    assert grey.ndim == 2
    assert abs(grey - wanted).mean() < 2


def test_transparency_is_kept() -> None:
    """What was transparent is as transparent in grey."""
    image = corners().convert("RGBA")
    alpha = Image.linear_gradient("L").resize(image.size)
    image.putalpha(alpha)
    grey = result(run("image-greyscale", file(image)))
    assert grey.mode == "LA"
    assert (np.asarray(grey.getchannel("A")) == np.asarray(alpha)).all()
