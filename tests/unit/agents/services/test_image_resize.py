"""image-resize scales to what was asked, by any of its fits."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from agents.services.image_resize import Fit, plan, resampling
from streams.service.errors import InvalidInput
from tests.unit.agents.pictures import RED, WHITE, astronaut, at, corners, file, near, quarters, result, run

SIDES = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("inputs", "size"),
    [
        ({"width": 32}, (32, 24)),
        ({"height": 24}, (32, 24)),
        ({"width": 640}, (640, 480)),
        ({"width": 1}, (1, 1)),
        ({"width": 30, "height": 30}, (30, 22)),
        ({"width": 30, "height": 30, "fit": "contain"}, (30, 22)),
        ({"width": 128, "height": 48, "fit": "contain"}, (64, 48)),
        ({"width": 30, "height": 30, "fit": "cover"}, (30, 30)),
        ({"width": 200, "height": 10, "fit": "cover"}, (200, 10)),
        ({"width": 10, "height": 70, "fit": "stretch"}, (10, 70)),
    ],
)
@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_sizes(format: str, inputs: dict[str, object], size: tuple[int, int]) -> None:
    """The result has the size that its inputs mean."""
    assert result(run("image-resize", file(corners(), format), **inputs)).size == size


@pytest.mark.parametrize(
    "inputs", [{"width": 100}, {"width": 300, "height": 40}, {"width": 40, "height": 90, "fit": "stretch"}]
)
@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_the_whole_picture_is_shown(format: str, inputs: dict[str, object]) -> None:
    """But for cover, all of the picture is in the result."""
    resized = result(run("image-resize", file(corners((1000, 800)), format), **inputs))
    assert quarters(resized, 20)


def test_cover_cuts_both_sides_alike() -> None:
    """Covering a wide frame shows the middle of a high picture: the border of its halves stays in the middle."""
    resized = result(run("image-resize", file(corners((60, 120))), width=60, height=40, fit="cover"))
    assert near(at(resized, 5, 18), RED, 5)
    assert near(at(resized, 55, 22), WHITE, 5)


@pytest.mark.parametrize("width", [90, 400, 1100])
def test_reduced_decoding_shows_the_same(width: int) -> None:
    """A large JPEG, which is decoded at a fraction of its size, comes out as if it had been decoded whole."""
    photo = Image.open(BytesIO(astronaut())).resize((1500, 1000), Image.Resampling.BICUBIC)
    original = file(photo, "jpeg", quality=95)
    resized = result(run("image-resize", original, width=width))
    size = width, round(width * 2 / 3)
    wanted = photo.resize(size, resampling(photo.size, size))
    assert resized.size == wanted.size
    assert abs(np.asarray(resized.convert("L")).astype(int) - np.asarray(wanted.convert("L"))).mean() < 2


@given(full=st.tuples(SIDES, SIDES), width=st.none() | SIDES, height=st.none() | SIDES, fit=st.sampled_from(Fit))
def test_plans(full: tuple[int, int], width: int | None, height: int | None, fit: Fit) -> None:
    """Every plan keeps what was asked: sides as given, the frame not left, the part shown inside the picture."""
    if width is None and height is None:
        with pytest.raises(InvalidInput, match="both width and height are missing"):
            plan(full, width, height, fit)
        return
    size, (left, top, right, bottom) = plan(full, width, height, fit)
    assert min(size) >= 1
    assert 0 <= left < right <= full[0]
    assert 0 <= top < bottom <= full[1]
    if width is None or height is None:
        assert width in (None, size[0])
        assert height in (None, size[1])
    elif fit is Fit.CONTAIN:
        assert size[0] <= width
        assert size[1] <= height
        assert width == size[0] or height == size[1]
    else:
        assert size == (width, height)


@pytest.mark.parametrize("inputs", [{"width": 0}, {"width": 16384}, {"height": -3}])
def test_sides_have_bounds(inputs: dict[str, int]) -> None:
    """A side of nothing or of too much is refused by name."""
    with pytest.raises(InvalidInput) as refused:
        run("image-resize", file(corners()), **inputs)
    assert refused.value.where in inputs


def test_results_have_a_ceiling() -> None:
    """A result of too many pixels is refused before it is made."""
    with pytest.raises(InvalidInput, match=r"8100 x 8100 pixels, more than 64,000,000"):
        run("image-resize", file(Image.new("L", (8, 8))), width=8100)


def test_transparent_edges_stay_clean() -> None:
    """The hidden colour of transparent pixels does not show at the edges of a scaled picture."""
    image = Image.new("RGBA", (200, 200), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (50, 50, 150, 150))
    pixels = np.asarray(result(run("image-resize", file(image), width=33))).reshape(-1, 4)
    assert pixels[pixels[:, 3] > 16][:, 1].max() < 20


@pytest.mark.parametrize("width", [300, 128])
def test_downscaling_is_as_good_as_with_lanczos(width: int) -> None:
    """The faster filter differs from it by less than anybody sees: 36 dB at least on a photo."""
    photo = Image.open(BytesIO(astronaut())).convert("RGB")
    resized = result(run("image-resize", file(photo, "png"), width=width))
    wanted = photo.resize((width, width), Image.Resampling.LANCZOS)
    assert resized.tobytes() != wanted.tobytes()
    error = (np.asarray(resized, float) - np.asarray(wanted, float)) ** 2
    assert 10 * np.log10(255**2 / error.mean()) > 36


@pytest.mark.parametrize("width", [460, 512, 800])
def test_where_it_would_be_seen_lanczos_stays(width: int) -> None:
    """Near the full size and above it, a picture goes by the best filter there is."""
    photo = Image.open(BytesIO(astronaut())).convert("RGB")
    resized = result(run("image-resize", file(photo, "png"), width=width))
    assert resized.tobytes() == photo.resize((width, width), Image.Resampling.LANCZOS).tobytes()
