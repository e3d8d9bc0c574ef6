"""image-crop cuts areas out, exactly."""

import numpy as np
import pytest
from PIL import Image

from streams.service.errors import InvalidInput
from tests.unit.agents.pictures import corners, file, quarters, result, run

NOISE = Image.effect_noise((120, 90), 80)


def test_one_picture_an_area() -> None:
    """Each area is a picture of its own, in order, pixel for pixel."""
    areas = [{"x": 0, "y": 0, "width": 120, "height": 90}, {"x": 7, "y": 11, "width": 30, "height": 20}]
    invocation = run("image-crop", file(NOISE), areas=areas)
    assert len(invocation.output["images"]) == 2
    assert (np.asarray(result(invocation, 0)) == np.asarray(NOISE)).all()
    assert (np.asarray(result(invocation, 1)) == np.asarray(NOISE)[11:31, 7:37]).all()


def test_the_same_area_twice_is_one_object() -> None:
    """Equal cuts are stored once and named twice."""
    area = {"x": 7, "y": 11, "width": 30, "height": 20}
    invocation = run("image-crop", file(NOISE), areas=[area, area])
    assert len(invocation.objects) == 1
    assert invocation.output["images"][0] == invocation.output["images"][1]


def test_no_areas_no_pictures() -> None:
    """An empty list gives an empty list."""
    assert run("image-crop", file(NOISE), areas=[]).output == {"images": []}


def test_areas_are_of_the_upright_picture() -> None:
    """On a photo stored on its side, areas count from the corner that is seen as the upper left."""
    exif = Image.Exif()
    exif[274] = 6
    turned = corners((64, 48)).transpose(Image.Transpose.ROTATE_90)
    cut = result(
        run(
            "image-crop",
            file(turned, "jpeg", exif=exif, quality=95),
            areas=[{"x": 16, "y": 12, "width": 32, "height": 24}],
        )
    )
    assert cut.size == (32, 24)
    assert quarters(cut, 40)


@pytest.mark.parametrize(
    "area",
    [
        {"x": 100, "y": 0, "width": 21, "height": 10},
        {"x": -1, "y": 0, "width": 10, "height": 10},
        {"x": 0, "y": 85, "width": 10, "height": 6},
        {"x": 500, "y": 500, "width": 10, "height": 10},
    ],
)
def test_an_area_outside_is_refused(area: dict[str, int]) -> None:
    """An area that does not lie inside is refused by its place in the list, with the picture's size."""
    inside = {"x": 0, "y": 0, "width": 10, "height": 10}
    with pytest.raises(InvalidInput, match=r"lies outside of the picture \(120 x 90\)") as refused:
        run("image-crop", file(NOISE), areas=[inside, area])
    assert refused.value.where == "areas[1]"


def test_an_area_of_nothing_is_refused() -> None:
    """Width and height are at least one pixel."""
    with pytest.raises(InvalidInput) as refused:
        run("image-crop", file(NOISE), areas=[{"x": 0, "y": 0, "width": 0, "height": 10}])
    assert refused.value.where == "areas[0].width"
