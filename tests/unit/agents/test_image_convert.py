"""image-convert writes any allowed format as any other."""

import pytest
from PIL import Image

from streams.media import Format, inspect
from streams.refusal import Refused
from tests.unit.agents.pictures import corners, file, quarters, result, run


@pytest.mark.parametrize("given", Format)
@pytest.mark.parametrize("wanted", Format)
def test_every_format_to_every_other(given: Format, wanted: Format) -> None:
    """The result is of the wanted format by its content, and shows the same."""
    made = run("image-convert", file(corners(), given.value), format=wanted.value)
    assert made.objects[0].media_type == made.output["image"]["media_type"] == wanted.media_type
    assert inspect(made.objects[0].data).format is wanted
    assert quarters(result(made), 30)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("wanted", Format)
def test_every_mode_to_every_format(mode: str, wanted: Format) -> None:
    """Black-and-white, grey, transparent, palette, ink and 16-bit pictures can be written as everything."""
    image = corners(mode=mode) if mode != "I;16" else Image.new("I;16", (64, 48), 40_000)
    made = run("image-convert", file(image, "tiff" if mode in ("CMYK", "I;16") else "png"), format=wanted.value)
    assert result(made).size == (64, 48)


@pytest.mark.parametrize("wanted", ["jpeg", "webp"])
def test_quality(wanted: str) -> None:
    """Less quality is a smaller file, for the formats that have one."""
    given = file(Image.effect_noise((200, 200), 60))
    sizes = [
        len(run("image-convert", given, format=wanted, quality=quality).objects[0].data) for quality in (10, 50, 95)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 2


def test_unknown_format() -> None:
    """A format that is not offered is refused with those that are."""
    with pytest.raises(Refused, match="jpeg, png, webp, gif, bmp, tiff") as refused:
        run("image-convert", file(corners()), format="heic")
    assert refused.value.where == "format"
