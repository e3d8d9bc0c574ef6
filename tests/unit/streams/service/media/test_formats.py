"""What an upload is, is found from its content and header alone, and what is not allowed is refused with a reason."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from streams.service.errors import InvalidInput
from streams.service.media import LIMITS, Format, Limits, MediaInfo, frames, inspect, sniff


def _file(format: str, size: tuple[int, int] = (31, 17), frames: int = 1) -> bytes:
    out = BytesIO()
    images = [Image.new("RGB", size, (40 * index, 0, 0)) for index in range(frames)]
    options = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(out, format.upper(), **options)
    return out.getvalue()


@pytest.mark.parametrize("format", Format)
def test_every_allowed_format_is_known_by_its_content(format: Format) -> None:
    """Format, media type and size come from the bytes; there is no file name to be misled by."""
    assert inspect(_file(format.value)) == MediaInfo(f"image/{format.value}", format, 31, 17, 1)


@pytest.mark.parametrize("format", ["gif", "webp", "png", "tiff"])
@pytest.mark.parametrize("count", [2, 7])
def test_frames_are_counted(format: str, count: int) -> None:
    """An animation says how many frames it has, and a TIFF how many pages."""
    assert inspect(_file(format, frames=count)).frames == count


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"%PDF-1.7 and more", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "XML"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video"),
        (b"PK\3\4 a word document", "ZIP"),
        (b"BM is how this letter begins, which makes it no bitmap", "no picture"),
        (b"hello", "no picture"),
        (b"P6 2 2 255 ............", "no picture"),
        (b"\0\0\1\0\1\0", "ICO"),
    ],
)
def test_other_formats_are_refused_by_name(data: bytes, said: str) -> None:
    """Other content is refused by the name people know it by, with what is allowed instead."""
    with pytest.raises(InvalidInput, match=said) as refused:
        sniff(data)
    assert "jpeg, png, webp, gif, bmp, tiff" in refused.value.hint


def _png(width: int, height: int, content: bytes = b"never decoded", kind: tuple[int, int] = (8, 2)) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">2I5B", width, height, *kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def _jpeg(width: int, height: int) -> bytes:
    made = bytearray(_file("jpeg"))
    start = made.index(b"\xff\xc0") + 5
    made[start : start + 4] = struct.pack(">2H", height, width)
    return bytes(made)


def _gif(width: int, height: int) -> bytes:
    made = bytearray(_file("gif"))
    made[6:10] = struct.pack("<2H", width, height)
    return bytes(made)


def _webp(width: int, height: int) -> bytes:
    made = _file("webp")
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas + made[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _bmp(width: int, height: int) -> bytes:
    made = bytearray(_file("bmp"))
    made[18:26] = struct.pack("<2i", width, height)
    return bytes(made)


def _tiff(width: int, height: int) -> bytes:
    made = bytearray(_file("tiff"))
    for tag, value in ((256, width), (257, height)):
        at = made.index(struct.pack("<2HI", tag, 4, 1)) + 8
        made[at : at + 4] = struct.pack("<I", value)
    return bytes(made)


@pytest.mark.parametrize("bomb", [_png, _jpeg, _gif, _bmp, _tiff])
@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (8_001, 8_000)])
def test_bombs_are_refused_from_the_header(bomb, width: int, height: int) -> None:  # type: ignore[no-untyped-def]
    """A small file that unpacks to too many pixels is refused though its pixels were never there to be decoded."""
    made = bomb(width, height)
    assert len(made) < 4_000
    with pytest.raises(InvalidInput, match=f"{width} x {height}") as refused:
        inspect(made)
    assert "64,000,000" in refused.value.reason


def test_a_webp_whose_canvas_is_a_bomb_is_refused() -> None:
    """The same for a WebP, whose header names the canvas apart from the pixels."""
    with pytest.raises(InvalidInput):
        inspect(_webp(16_000, 16_000))


def test_a_real_bomb() -> None:
    """A valid PNG of 400 megapixels in 50 kB is refused."""
    rows = zlib.compress(bytes(20_000 // 8 + 1) * 20_000, 9)
    made = _png(20_000, 20_000, rows, kind=(1, 0))
    assert len(made) < 60_000
    with pytest.raises(InvalidInput, match="20000 x 20000"):
        inspect(made)


def test_ceilings_can_be_lowered() -> None:
    """Bytes and pixels have limits of their own, and the message names the one that was passed."""
    made = _file("png", (100, 100))
    assert inspect(made, Limits(pixels=10_000)).width == 100
    with pytest.raises(InvalidInput, match=r"10,000 pixels, more than the 9,999"):
        inspect(made, Limits(pixels=9_999))
    with pytest.raises(InvalidInput, match="bytes, more than the 10 allowed"):
        inspect(made, Limits(size=10))
    with pytest.raises(InvalidInput, match="more than the 26,214,400 allowed"):
        inspect(bytes(LIMITS.size + 1))


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("kept", [13, 20, 40])
def test_headers_that_end_early(format: Format, kept: int) -> None:
    """A file cut inside its header is refused, not a crash; what is whole by then may pass."""
    cut = _file(format.value)[:kept]
    try:
        assert inspect(cut).width == 31
    except InvalidInput as refused:
        assert refused.reason  # noqa: PT017  # both ways are right, depending on the format


def test_a_text_bomb_in_a_png() -> None:
    """A compressed text that would unpack to much more than a text is refused with the header."""
    body = b"Comment\0\0" + zlib.compress(bytes(200_000_000 // 4), 9)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    whole = _file("png")
    with pytest.raises(InvalidInput, match="png header cannot be read"):
        inspect(whole[:33] + chunk + whole[33:])


def test_a_gif_of_a_million_blocks() -> None:
    """A GIF that is cut into countless empty blocks is refused instead of being counted for ever."""
    whole = _file("gif", frames=2)
    blocks = b"!\xfe" + b"\1a" * 1_100_000 + b"\0"
    with pytest.raises(InvalidInput, match="more blocks"):
        inspect(whole[:-1] + blocks + whole[-1:])


def test_counting_stops() -> None:
    """Frames are counted up to a bound, whatever a file claims to hold."""
    one = _file("gif", (1, 1))
    start = one.index(b",")
    many = one[:start] + one[start:-1] * (frames.MOST + 50) + b";"
    assert inspect(many).frames == frames.MOST


def test_a_tiff_that_bites_its_tail() -> None:
    """A TIFF whose last directory points back at its first ends there."""
    made = bytearray(_file("tiff", frames=2))
    first = int.from_bytes(made[4:8], "little")
    position = first
    for _ in range(2):
        after = position + 2 + 12 * int.from_bytes(made[position : position + 2], "little")
        position = int.from_bytes(made[after : after + 4], "little") or after
    made[position : position + 4] = first.to_bytes(4, "little")
    assert inspect(bytes(made)).frames == 2
