"""Pictures come in right whatever their file is like, and go out with nothing but their pixels."""

import struct
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from agents.imaging.encode import RULES
from agents.imaging.picture import Picture
from streams.service.errors import InvalidInput
from streams.service.media import Format
from tests.unit.agents.pictures import GREEN, RED, at, corners, file, near, quarters
from tests.unit.agents.profiles import swapped_profile

STORED = {
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}
"""How a camera stores an upright scene under each EXIF orientation."""


def _exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "a secret name"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return exif


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", STORED)
def test_orientation(format: str, orientation: int) -> None:
    """Every EXIF orientation of every format that carries EXIF is applied, to the size known beforehand as well."""
    stored = STORED[orientation](corners((64, 48)))
    options = {"quality": 95} if format == "jpeg" else {"lossless": True} if format == "webp" else {}
    picture = Picture.decode(file(stored, format, exif=_exif(orientation), **options))
    assert picture.size == (64, 48)
    assert picture.pixels.size == (64, 48)
    assert quarters(picture.pixels, 20)
    assert quarters(picture.reduced((16, 12)), 20)
    again = Image.open(BytesIO(picture.replaced(picture.pixels).encode().data))
    assert again.getexif().get(ExifTags.Base.Orientation) is None
    assert quarters(again, 20)


def test_orientation_at_the_end_of_a_png() -> None:
    """EXIF that stands behind the pixels of a PNG is applied too."""
    stored = file(STORED[6](corners()), "png", exif=_exif(6))
    start = stored.index(b"eXIf") - 4
    length = 12 + struct.unpack(">I", stored[start : start + 4])[0]
    chunk, rest = stored[start : start + length], stored[:start] + stored[start + length :]
    end = rest.index(b"IEND") - 4
    picture = Picture.decode(rest[:end] + chunk + rest[end:])
    assert picture.size == (64, 48)
    assert quarters(picture.pixels)
    assert picture.source.header.tile, "the header was decoded to find it"


@pytest.mark.parametrize("format", Format)
def test_nothing_but_pixels_goes_out(format: Format) -> None:
    """Neither EXIF, GPS, comments, text, XMP nor a profile is in what is made or handed on, in any format."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "a secret name")
    options: dict[Format, dict[str, object]] = {
        Format.JPEG: {"comment": b"a secret name", "xmp": b"<x>a secret name</x>", "exif": _exif()},
        Format.PNG: {"pnginfo": notes, "exif": _exif()},
        Format.WEBP: {"xmp": b"<x>a secret name</x>", "exif": _exif()},
        Format.GIF: {"comment": b"a secret name"},
        Format.TIFF: {"exif": _exif(), "description": "a secret name"},
    }
    original = file(corners(), format.value, **options.get(format, {}))
    assert b"secret" in original or format is Format.BMP
    picture = Picture.decode(original)
    for encoded in (picture.encode(), picture.replaced(picture.pixels).encode(), picture.converted(format).encode()):
        assert encoded.media_type == format.media_type
        assert b"secret" not in encoded.data
        again = Image.open(BytesIO(encoded.data))
        assert quarters(again, 30)
        assert not {"exif", "xmp", "comment", "icc_profile", "Comment"} & again.info.keys()
        if format is not Format.TIFF:  # every TIFF describes its own pixels with tags
            assert not dict(again.getexif())


@pytest.mark.parametrize("options", [{"quality": 85}, {"quality": 85, "progressive": True}, {"quality": 40}])
def test_an_untouched_jpeg_keeps_its_pixels(options: dict[str, object]) -> None:
    """A JPEG that is handed on loses its metadata and not a bit of its picture, and what follows its end goes."""
    original = file(corners((160, 120)), "jpeg", exif=_exif(), **options) + b"a second secret picture"
    encoded = Picture.decode(original).encode().data
    assert b"secret" not in encoded
    assert (np.asarray(Image.open(BytesIO(encoded))) == np.asarray(Image.open(BytesIO(original)))).all()


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def test_no_thumbnail_of_a_jpeg_goes_out() -> None:
    """What JFIF's and Adobe's segments carry beside what decoding needs goes too: a thumbnail may show what was cut away."""
    for mode in ("RGB", "L", "CMYK"):
        plain = file(corners(mode=mode), "jpeg")
        start = plain.index(b"\xff\xdb")  # the first table: before it stands what the writer says of itself
        adobe = _segment(0xEE, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 2 if mode == "CMYK" else 1]) + b"a secret")
        jfif = b"" if mode == "CMYK" else _segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\3\1a secret!")
        more = _segment(0xE0, b"JFXX\0\x10a secret") + _segment(0xE0, b"a secret") + _segment(0xEE, b"a secret place")
        original = plain[:2] + jfif + adobe + more + plain[start:]
        picture = Picture.decode(original)
        encoded = picture.encode().data
        assert b"secret" not in encoded
        if picture.source.normal:
            assert (np.asarray(Image.open(BytesIO(encoded))) == np.asarray(Image.open(BytesIO(original)))).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [True, False])
def test_an_untouched_webp_keeps_its_pixels(mode: str, lossless: bool) -> None:
    """A WebP that is handed on loses its metadata and not a bit of its picture, transparency included."""
    image = corners((160, 120)).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize((160, 120)))
    original = file(image, "webp", exif=_exif(), lossless=lossless)
    encoded = Picture.decode(original).encode().data
    assert b"secret" not in encoded
    assert (np.asarray(Image.open(BytesIO(encoded))) == np.asarray(Image.open(BytesIO(original)))).all()


def test_a_jpeg_is_written_with_the_tables_of_its_source() -> None:
    """Pixels that a service leaves alone change as little as a second encoding allows."""
    original = file(Image.effect_noise((128, 128), 60).convert("RGB"), "jpeg", quality=60)
    picture = Picture.decode(original)
    encoded = picture.replaced(picture.pixels.copy()).encode().data
    difference = np.asarray(Image.open(BytesIO(encoded))).astype(int) - np.asarray(Image.open(BytesIO(original)))
    assert abs(difference).mean() < 0.5
    assert len(encoded) == pytest.approx(len(original), rel=0.05)


def test_a_jpeg_whose_tables_have_other_numbers() -> None:
    """A grey JPEG may call its only table the second one: it is written again all the same."""
    stored = bytearray(file(Image.linear_gradient("L"), "jpeg"))
    stored[stored.index(b"\xff\xdb") + 4] = 1
    stored[stored.index(b"\xff\xc0") + 12] = 1
    picture = Picture.decode(bytes(stored))
    again = Image.open(BytesIO(picture.replaced(picture.pixels).encode().data))
    assert abs(np.asarray(again).astype(int) - np.asarray(picture.pixels)).mean() < 2


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_modes(mode: str) -> None:
    """Black-and-white, grey, palette and transparent pictures come in as what they look like."""
    shown = Picture.decode(file(corners(mode=mode), "png")).pixels
    wanted = corners(mode=mode).convert("RGB")
    assert shown.mode == {"1": "L", "P": "RGB"}.get(mode, mode)
    assert near(at(shown, 10, 10), at(wanted, 10, 10), 2)
    assert near(at(shown, 50, 40), at(wanted, 50, 40), 2)


def test_cmyk() -> None:
    """The inks of a CMYK picture become the colours they print, in JPEG and in TIFF."""
    for format in ("jpeg", "tiff"):
        picture = Picture.decode(file(corners(mode="CMYK"), format))
        assert picture.source.mode == "CMYK"
        assert quarters(picture.pixels, 25)


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_sixteen_bits(format: str) -> None:
    """16-bit grey is scaled by its full range: neither cut off at white nor wrapped around."""
    levels = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    picture = Picture.decode(file(Image.fromarray(levels), format))
    assert picture.source.mode.startswith("I;16")
    assert list(picture.pixels.tobytes()) == [0, 1, 128, 255]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_a_range_are_refused(mode: str) -> None:
    """32-bit pixels are refused with a reason, since nothing says what is white."""
    picture = Picture.decode(file(Image.new(mode, (4, 4), 7), "tiff"))
    with pytest.raises(InvalidInput, match="cannot be shown in 8 bits"):
        _ = picture.pixels


def test_a_colour_key_is_transparency() -> None:
    """A PNG that names one colour as transparent comes in with that colour transparent."""
    picture = Picture.decode(file(corners(), "png", transparency=RED))
    assert picture.pixels.mode == "RGBA"
    assert picture.pixels.getpixel((5, 5)) == (*RED, 0)
    assert picture.pixels.getpixel((60, 5)) == (*GREEN, 255)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
def test_profiles(format: str) -> None:
    """Pixels of another colour space are converted to sRGB, and the profile is not passed on."""
    options = {"lossless": True} if format == "webp" else {"quality": 95} if format == "jpeg" else {}
    picture = Picture.decode(file(corners(), format, icc_profile=swapped_profile(), **options))
    assert near(at(picture.pixels, 10, 36), (255, 0, 0), 40)
    assert near(at(picture.pixels, 10, 10), (0, 0, 255), 40)
    for encoded in (picture.encode(), picture.replaced(picture.pixels).encode()):
        again = Image.open(BytesIO(encoded.data))
        assert "icc_profile" not in again.info
        assert near(at(again, 10, 10), (0, 0, 255), 40)


def test_profiles_keep_transparency() -> None:
    """Converting colours leaves transparency alone."""
    image = corners().convert("RGBA")
    image.putalpha(77)
    pixels = Picture.decode(file(image, "png", icc_profile=swapped_profile())).pixels
    assert pixels.getchannel("A").getextrema() == (77, 77)
    assert near(at(pixels, 10, 10), (0, 0, 255), 40)


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200, swapped_profile()[:300]])
def test_a_broken_profile_is_passed_over(profile: bytes) -> None:
    """A profile that cannot be read does not keep a picture from being shown."""
    assert quarters(Picture.decode(file(corners(), "png", icc_profile=profile)).pixels)


def test_transparency_goes_onto_white() -> None:
    """Formats without transparency show what was behind it as white; formats with it keep it."""
    image = corners().convert("RGBA")
    image.putalpha(0)
    picture = Picture.decode(file(image))
    for format, rule in RULES.items():
        again = Image.open(BytesIO(picture.converted(format).encode().data))
        if rule.alpha:
            assert again.convert("RGBA").getchannel("A").getextrema() == (0, 0)
        else:
            assert near(at(again, 10, 10), (255, 255, 255), 3)


def _animation(format: str) -> bytes:
    frames = [corners(), corners().rotate(180), corners().rotate(90)]
    return file(
        frames[0], format, save_all=True, append_images=frames[1:], **({"lossless": True} if format == "webp" else {})
    )


@pytest.mark.parametrize("format", ["gif", "webp", "png", "tiff"])
def test_several_frames(format: str) -> None:
    """The first frame is read; making a picture of it in the same format is refused, since the others would be lost."""
    picture = Picture.decode(_animation(format))
    assert picture.source.info.frames == 3
    assert quarters(picture.pixels)
    for making in (picture.encode, lambda: picture.replaced(picture.pixels)):
        with pytest.raises(InvalidInput, match=r"3 (frames|pages), and all but the first would be lost.*image-convert"):
            making()
    assert quarters(Image.open(BytesIO(picture.converted(Format.PNG).encode().data)))


@pytest.mark.parametrize("lossless", [True, False])
def test_an_animation_of_one_frame_is_a_still(lossless: bool) -> None:
    """A WebP that is written as an animation and has one frame is handed on as that picture, and changed as one without loss."""
    animation = file(corners(), "webp", save_all=True, append_images=[corners().rotate(90)], lossless=lossless, kmax=0)
    second = animation.index(b"ANMF", animation.index(b"ANMF") + 1)
    alone = animation[:4] + (second - 8).to_bytes(4, "little") + animation[8:second]
    picture = Picture.decode(alone)
    assert picture.source.info.frames == 1
    assert picture.source.lossless is lossless
    for encoded in (picture.encode().data, picture.replaced(picture.pixels).encode().data):
        again = Image.open(BytesIO(encoded))
        assert quarters(again, 0 if lossless else 40)
        assert Picture.decode(encoded).source.lossless is lossless


def test_a_broken_palette_is_the_file_s_fault() -> None:
    """What only shows when decoded pixels are brought into form is refused as the damage that it is."""
    plain = file(corners(mode="P"), "png", transparency=0)
    start = plain.index(b"tRNS") - 4
    entries = bytes(300)
    chunk = struct.pack(">I", len(entries)) + b"tRNS" + entries + struct.pack(">I", zlib.crc32(b"tRNS" + entries))
    old = 12 + struct.unpack(">I", plain[start : start + 4])[0]
    with pytest.raises(InvalidInput, match="damaged"):
        Picture.decode(plain[:start] + chunk + plain[start + old :]).encode()


@pytest.mark.parametrize("format", Format)
def test_a_file_cut_short_is_refused(format: Format) -> None:
    """A file that ends too early is refused as damaged, also when it would only be handed on."""
    whole = file(Image.effect_noise((200, 200), 80).convert("RGB"), format.value)
    cut = whole[: len(whole) // 2]
    for using in (Picture.encode, Picture.grey, lambda picture: picture.pixels):
        with pytest.raises(InvalidInput, match="damaged"):
            using(Picture.decode(cut))


SMALL = {format: file(corners((24, 16)), format.value) for format in Format}


@settings(max_examples=300, deadline=None)
@given(
    format=st.sampled_from(Format),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=4),
)
def test_a_file_broken_in_any_way_is_a_picture_or_refused(
    format: Format, cut: float, flips: list[tuple[float, int]]
) -> None:
    """A file broken in any way is either still a picture or refused; it never fails in another way."""
    data = bytearray(SMALL[format])
    for place, flip in flips:
        data[min(len(data) - 1, int(place * len(data)))] ^= flip
    broken = bytes(data[: int(cut * len(data)) + 1]) if cut < 0.9 else bytes(data)
    with suppress(InvalidInput):
        picture = Picture.decode(broken)
        assert picture.pixels.size == picture.size
        assert picture.encode().data


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("format", Format)
def test_the_smallest_pictures(size: tuple[int, int], format: Format) -> None:
    """Pictures of a single row, column or pixel are pictures."""
    picture = Picture.decode(file(Image.new("RGB", size, RED), format.value))
    assert picture.pixels.size == size
    assert Image.open(BytesIO(picture.replaced(picture.pixels).encode().data)).size == size


def test_too_large_for_the_format() -> None:
    """A picture that the wanted format cannot hold is refused with the format's limit."""
    picture = Picture.decode(file(Image.new("L", (17_000, 2))))
    with pytest.raises(InvalidInput, match="at most 16383 pixels a side"):
        picture.converted(Format.WEBP).encode()


@pytest.mark.data
def test_public_pictures(data: Path) -> None:
    """Every kind of file in the public collection comes in upright and goes out plain in its own format."""
    for path in sorted((data / "images").iterdir()):
        picture = Picture.decode(path.read_bytes())
        assert picture.pixels.size == picture.size, path.name
        assert picture.pixels.mode in ("L", "LA", "RGB", "RGBA"), path.name
        if picture.source.info.frames == 1:
            again = Image.open(BytesIO(picture.encode().data))
            again.load()
            assert again.size == picture.size, path.name
            assert again.format == picture.source.info.format.value.upper(), path.name


@pytest.mark.data
@pytest.mark.parametrize("name", ["Landscape_6.jpg", "Portrait_8.jpg"])
def test_public_photos_are_upright(data: Path, name: str) -> None:
    """Photos that cameras stored on their side are shown as Pillow's own function turns them."""
    photo = (data / "images" / name).read_bytes()
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(photo))))
    assert (np.asarray(Picture.decode(photo).pixels) == wanted).all()


@pytest.mark.data
def test_one_portrait_in_many_files(data: Path) -> None:
    """The same portrait as BMP, TIFF, GIF, WebP and turned JPEG is the same picture."""
    wanted = np.asarray(Image.open(data / "images" / "hopper.bmp").convert("RGB")).astype(int)
    for name in ("hopper.bmp", "hopper.tif", "hopper.gif", "hopper.webp", "hopper_orientation_6.jpg"):
        pixels = Picture.decode((data / "images" / name).read_bytes()).pixels
        assert abs(np.asarray(pixels) - wanted).mean() < 8, name


@pytest.mark.data
def test_a_photo_in_adobe_rgb(data: Path) -> None:
    """A photo in Adobe RGB is converted to sRGB as the two standards define them."""
    photo = (data / "images" / "rocket.jpg").read_bytes()
    to_xyz = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
    from_xyz = np.array([[3.24045, -1.53714, -0.49853], [-0.96927, 1.87601, 0.04156], [0.05564, -0.20403, 1.05723]])
    linear = (np.asarray(Image.open(BytesIO(photo))) / 255) ** 2.19921875 @ (from_xyz @ to_xyz).T
    inside = ((linear > 0.005) & (linear < 1)).all(axis=2)
    wanted = 255 * (1.055 * np.clip(linear, 0, 1) ** (1 / 2.4) - 0.055)
    pixels = np.asarray(Picture.decode(photo).pixels)
    assert inside.mean() > 0.3
    assert abs(pixels - wanted)[inside].mean() < 2


@pytest.mark.data
def test_a_photo_in_cmyk(data: Path) -> None:
    """The CMYK photo shows a bright red word on black."""
    pixels = Picture.decode((data / "images" / "pil_sample_cmyk.jpg").read_bytes()).pixels
    assert near(at(pixels, 5, 2), (255, 14, 26), 20)
    assert near(at(pixels, 95, 95), (0, 0, 0), 10)
