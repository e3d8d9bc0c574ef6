"""A file decides neither how long its header is read nor how much of it is said in a log."""

import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from streams.service.errors import InvalidInput
from streams.service.media import inspect

PIECES = "more pieces than any honest writer makes"


def jpeg(between: bytes = b"") -> bytes:
    """A JPEG with something before its first segment."""
    out = BytesIO()
    Image.new("RGB", (8, 6)).save(out, "JPEG")
    return out.getvalue()[:2] + between + out.getvalue()[2:]


def chunk(name: bytes, content: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(between: bytes = b"") -> bytes:
    """A PNG with something before its pixels."""
    out = BytesIO()
    Image.new("RGB", (8, 6)).save(out, "PNG")
    return out.getvalue()[:33] + between + out.getvalue()[33:]


def tiff(more: int, kind: int = 1, count: int = 4, value: int = 0) -> bytes:
    """An 8 x 6 grey TIFF with so many private tags, each with so many values of a kind."""
    known = [(256, 8), (257, 6), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 6), (279, 48)]
    tags = [struct.pack("<2H2I", tag, 3, 1, number) for tag, number in known]
    tags += [struct.pack("<2H2I", 1000 + tag, kind, count, value) for tag in range(more)]
    return b"II*\0" + struct.pack("<I", 56) + bytes(48) + struct.pack("<H", len(tags)) + b"".join(tags) + bytes(4)


PROFILE = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1024 * 1024), 9))


@pytest.mark.parametrize(
    "data",
    [
        jpeg(b"\xff\xe1\0\2" * 1_000_000),
        jpeg(b"\xff" * 20_000_000),
        jpeg(b"\xff\xd0" * 5_000_000),
        png(chunk(b"abCd") * 300_000),
        tiff(60_000),
    ],
    ids=["segments", "fill bytes", "restarts", "chunks", "tags"],
)
def test_a_header_of_countless_pieces_is_refused(data: bytes) -> None:
    """Each kept a gateway for 3 to 24 s."""
    with pytest.raises(InvalidInput, match=PIECES):
        inspect(data)


def test_a_png_has_one_colour_profile() -> None:
    """Each unpacks to a megabyte, the last one wins: 3,500 in 4 MB took 15 s."""
    assert inspect(png(PROFILE)).width == 8
    with pytest.raises(InvalidInput, match="more than one colour profile"):
        inspect(png(PROFILE * 3_500))


def test_pictures_of_many_segments_are_read() -> None:
    """A thousand segments, chunks or tags are no reason to refuse a picture."""
    assert inspect(jpeg(b"\xff\xe1\0\2" * 1_000)).width == 8
    assert inspect(png(chunk(b"tEXt", b"a\0b") * 1_000)).width == 8
    assert inspect(tiff(1_000)).width == 8


def test_broken_tags_leave_the_log_alone(tmp_path: Path) -> None:
    """A TIFF of 60 kB made a log of a megabyte: the reader warns twice of each tag that it cannot read."""
    file = tmp_path / "tags.tiff"
    file.write_bytes(tiff(5_000, kind=2, count=100, value=1 << 30))
    code = "import pathlib, sys; from streams.service.media import inspect; inspect(pathlib.Path(sys.argv[1]).read_bytes())"
    said = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
