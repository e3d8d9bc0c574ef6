"""image-blur makes areas unrecognisable, and leaves everything else alone."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from streams.service.errors import InvalidInput
from tests.unit.agents.pictures import GREEN, RED, astronaut, corners, file, ref, result, run

CHECKS = Image.fromarray(np.kron(np.indices((30, 40)).sum(axis=0) % 2 * 255, np.ones((8, 8))).astype(np.uint8))
"""A chessboard of 320 x 240 pixels: blurred, it is grey."""


def _contrast(image: Image.Image, box: tuple[int, int, int, int]) -> float:
    return float(np.asarray(image.convert("L").crop(box), dtype=float).std())


def test_areas_are_blurred_and_nothing_else() -> None:
    """Inside its areas the chessboard is grey; outside not a pixel differs."""
    areas = [{"x": 40, "y": 24, "width": 80, "height": 64}, {"x": 200, "y": 160, "width": 64, "height": 48}]
    blurred = result(run("image-blur", file(CHECKS), areas=areas))
    difference = np.asarray(blurred) != np.asarray(CHECKS)
    for area in areas:
        box = (area["x"], area["y"], area["x"] + area["width"], area["y"] + area["height"])
        assert _contrast(blurred, box) < 20
        difference[box[1] : box[3], box[0] : box[2]] = False
    assert not difference.any()


def test_strength_grows() -> None:
    """More strength leaves less; strength 0 leaves everything."""
    area = {"x": 0, "y": 0, "width": 160, "height": 240}
    left = [
        _contrast(result(run("image-blur", file(CHECKS), areas=[area], strength=strength)), (0, 0, 160, 240))
        for strength in (0, 0.02, 0.05, 1)
    ]
    assert left == sorted(left, reverse=True)
    assert left[0] == _contrast(CHECKS, (0, 0, 160, 240))
    assert left[-1] < 5


def test_a_face_is_gone_after_a_default_blur() -> None:
    """What makes a face, its edges, is gone: a tenth of its contrast at the scale of eyes and mouth is left at most."""
    photo = astronaut()
    box = (178, 63, 268, 176)
    blurred = result(run("image-blur", photo, areas=[{"x": 178, "y": 63, "width": 90, "height": 113}]))

    def edges(image: Image.Image) -> float:
        face = np.asarray(image.convert("L").crop(box), dtype=float)
        return float(np.abs(np.diff(face, axis=0)).mean())

    assert edges(blurred) < 0.15 * edges(Image.open(BytesIO(photo)))


def test_areas_are_clipped() -> None:
    """Areas that stand over the edge are blurred as far as they go, and those outside change nothing."""
    areas = [{"x": -20, "y": -20, "width": 60, "height": 60}, {"x": 5000, "y": 0, "width": 10, "height": 10}]
    blurred = result(run("image-blur", file(CHECKS), areas=areas))
    assert blurred.size == CHECKS.size
    assert _contrast(blurred, (0, 0, 40, 40)) < 20
    assert (np.asarray(blurred)[60:, 60:] == np.asarray(CHECKS)[60:, 60:]).all()


@pytest.mark.parametrize(
    "inputs", [{"areas": []}, {"areas": [{"x": 1, "y": 1, "width": 9, "height": 9}], "strength": 0}]
)
@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "bmp", "tiff", "gif"])
def test_nothing_to_blur(format: str, inputs: dict[str, object]) -> None:
    """Without areas or strength the picture comes back in its format with the pixels it had."""
    original = file(CHECKS, format)
    invocation = run("image-blur", original, **inputs)
    assert invocation.objects[0].media_type == f"image/{format}"
    before = Image.open(BytesIO(original)).convert("L")
    assert (np.asarray(result(invocation).convert("L")) == np.asarray(before)).all()


def test_colours_of_transparent_pixels_stay_hidden() -> None:
    """A colour that transparency hides does not bleed into what is seen."""
    image = Image.new("RGBA", (40, 40), (*RED, 255))
    image.paste((*GREEN, 0), (20, 0, 40, 40))
    blurred = result(run("image-blur", file(image), areas=[{"x": 0, "y": 0, "width": 40, "height": 40}]))
    pixels = np.asarray(blurred).reshape(-1, 4)
    assert pixels[pixels[:, 3] > 8][:, 1].max() < 20


def test_a_damaged_picture_is_refused_even_without_areas() -> None:
    """A picture that cannot be decoded is not handed on as if it could."""
    original = file(corners((300, 300)).effect_spread(50), "jpeg")
    with pytest.raises(InvalidInput, match="damaged"):
        run("image-blur", original[: len(original) // 2], areas=[])


def test_the_output_names_what_was_stored() -> None:
    """The ref of the output has the hash and size of the object that is to be stored."""
    invocation = run("image-blur", file(CHECKS), areas=[])
    assert invocation.output["image"] == {
        **ref(invocation.objects[0].data),
        "bucket": "",
        "key": "",
        "media_type": "image/png",
    }
