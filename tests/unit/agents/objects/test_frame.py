"""A picture is put into what a network takes, and boxes find their way back."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from agents.imaging.area import Area
from agents.imaging.picture import Picture
from agents.objects.description import Pixels
from agents.objects.frame import frame, tensor
from tests.unit.agents.pictures import corners, file


def _picture(image: Image.Image, **options: Any) -> Picture:
    return Picture.decode(file(image, **options))


def test_a_letterbox() -> None:
    """A wide picture gets bars above and below, of the colour that is asked for; its corners are where they were."""
    values, framed = tensor(_picture(corners((128, 64))), (32, 32), Pixels())
    assert values.shape == (1, 3, 32, 32)
    assert values.dtype == np.float32
    assert (framed.inner, framed.offset) == ((32, 16), (0, 8))
    assert values[0, :, :8] == pytest.approx(114 / 255)
    assert values[0, :, 24:] == pytest.approx(114 / 255)
    assert values[0, :, 10, 2].tolist() == pytest.approx([1, 0, 0])
    assert values[0, :, 22, 29].tolist() == pytest.approx([1, 1, 1])


def test_stretched() -> None:
    """Without a letterbox the picture fills everything."""
    values, framed = tensor(_picture(corners((128, 64))), (32, 32), Pixels(fit="stretch"))
    assert (framed.inner, framed.offset) == ((32, 32), (0, 0))
    assert values[0, :, 0, 0].tolist() == pytest.approx([1, 0, 0])


def test_other_pixels() -> None:
    """Blue first, channels last, and a mean and a spread for each channel."""
    pixels = Pixels(order="bgr", channels="last", divide=1, mean=(100, 110, 120), std=(2, 4, 5))
    values, _ = tensor(_picture(corners((64, 64))), (32, 32), pixels)
    assert values.shape == (1, 32, 32, 3)
    assert values[0, 2, 2].tolist() == pytest.approx([(0 - 100) / 2, (0 - 110) / 4, (255 - 120) / 5])


def test_a_photo_on_its_side() -> None:
    """Pixels are upright before anything else: red is at the top left, whatever way the file stores it."""
    exif = Image.Exif()
    exif[274] = 6
    stored = corners((64, 48)).transpose(Image.Transpose.ROTATE_90)
    values, framed = tensor(_picture(stored, format="jpeg", exif=exif, quality=95), (32, 32), Pixels())
    assert (framed.picture, framed.inner) == ((64, 48), (32, 24))
    assert values[0, 0, 8, 4] > 0.9
    assert values[0, 1:, 8, 4].max() < 0.1


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P"])
def test_kinds_of_pictures(mode: str) -> None:
    """Grey and transparent pictures come as three channels too."""
    assert tensor(_picture(corners((40, 40)).convert(mode)), (32, 32), Pixels())[0].shape == (1, 3, 32, 32)


@pytest.mark.parametrize("size", [(128, 64), (64, 128), (33, 17), (4000, 3), (1, 1)])
@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_boxes_find_back(size: tuple[int, int], fit: str) -> None:
    """The whole of what the network saw of the picture is the whole picture, and what lies in the bars is nothing."""
    framed = frame(size, (96, 64), fit)
    left, top = framed.offset
    whole = framed.area(left, top, left + framed.inner[0], top + framed.inner[1])
    assert whole == Area(x=0, y=0, width=size[0], height=size[1])
    assert framed.area(-50, -50, 200, 200) == whole
    if left > 2:
        assert framed.area(0, 0, left - 1, 64) is None
    if top > 2:
        assert framed.area(0, 0, 96, top - 1) is None
