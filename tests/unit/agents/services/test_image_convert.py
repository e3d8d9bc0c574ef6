"""image-convert writes any allowed format as any other."""

from io import BytesIO

import pytest
from PIL import ExifTags, Image

from agents.imaging.picture import Picture
from streams.service.errors import InvalidInput
from streams.service.media import Format, inspect
from tests.unit.agents.pictures import astronaut, corners, file, quarters, result, run


@pytest.mark.parametrize("stored", Format)
@pytest.mark.parametrize("wanted", Format)
def test_every_format_to_every_other(stored: Format, wanted: Format) -> None:
    """The result is of the wanted format by its content, and shows the same."""
    invocation = run("image-convert", file(corners(), stored.value), format=wanted.value)
    assert invocation.objects[0].media_type == invocation.output["image"]["media_type"] == wanted.media_type
    assert inspect(invocation.objects[0].data).format is wanted
    assert quarters(result(invocation), 30)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("wanted", Format)
def test_every_mode_to_every_format(mode: str, wanted: Format) -> None:
    """Black-and-white, grey, transparent, palette, ink and 16-bit pictures can be written as everything."""
    image = corners(mode=mode) if mode != "I;16" else Image.new("I;16", (64, 48), 40_000)
    invocation = run("image-convert", file(image, "tiff" if mode in ("CMYK", "I;16") else "png"), format=wanted.value)
    assert result(invocation).size == (64, 48)


@pytest.mark.parametrize("wanted", ["jpeg", "webp"])
def test_quality(wanted: str) -> None:
    """Less quality is a smaller file, for the formats that have one."""
    original = file(Image.effect_noise((200, 200), 60))
    sizes = [
        len(run("image-convert", original, format=wanted, quality=quality).objects[0].data) for quality in (10, 50, 95)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 2


def test_unknown_format() -> None:
    """A format that is not offered is refused with those that are."""
    with pytest.raises(InvalidInput, match="jpeg, png, webp, gif, bmp, tiff") as refused:
        run("image-convert", file(corners()), format="heic")
    assert refused.value.where == "format"


@pytest.mark.parametrize("options", [{"quality": 30}, {"quality": 97, "subsampling": 0}, {"progressive": True}])
def test_a_jpeg_as_jpeg_keeps_its_bytes(options: dict[str, object]) -> None:
    """Nothing has to change, so nothing does; with metadata, that goes and the pixels stay."""
    original = file(Image.open(BytesIO(astronaut())).convert("RGB"), "jpeg", **options)
    assert run("image-convert", original, format="jpeg").objects[0].data == original
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "somebody"
    tagged = file(Image.open(BytesIO(astronaut())).convert("RGB"), "jpeg", exif=exif, **options)
    assert b"somebody" in tagged
    assert run("image-convert", tagged, format="jpeg").objects[0].data == original


def test_a_quality_that_is_asked_for_is_given() -> None:
    """Who wants a smaller JPEG of a JPEG gets one."""
    original = file(Image.effect_noise((200, 200), 60), "jpeg", quality=95)
    assert len(run("image-convert", original, format="jpeg", quality=40).objects[0].data) < len(original) / 2


@pytest.mark.parametrize("format", ["gif", "webp", "png", "tiff"])
def test_of_several_frames_the_first_is_written_in_the_same_format(format: str) -> None:
    """Who asks for the format that it has gets one picture, as from any other."""
    original = file(corners(), format, save_all=True, append_images=[corners().rotate(90)])
    converted = run("image-convert", original, format=format).objects[0].data
    assert inspect(converted).frames == 1
    assert quarters(Image.open(BytesIO(converted)), 30)


def test_a_webp_without_loss_stays_without() -> None:
    """As WebP it is written as it came."""
    original = file(corners(), "webp", lossless=True)
    assert Picture.decode(run("image-convert", original, format="webp").objects[0].data).source.lossless
