"""Bodies of answers: read within limits, or refused."""

import gzip
import io
import json
import zlib
from typing import Any

import pytest
from PIL import Image

from agents.web.content import DEPTH, Body, Picture
from streams.service.errors import InvalidInput

MOST = 1000


def read(data: bytes, most: int = MOST, piece: int = 64, **headers: str) -> Any:
    """What a body is, arriving in pieces."""
    body = Body({name.replace("_", "-"): value for name, value in headers.items()}, most)
    for start in range(0, len(data), piece):
        body.feed(data[start : start + piece])
    return body.read(body.end())


def png(side: int = 4) -> bytes:
    """A picture."""
    out = io.BytesIO()
    Image.new("RGB", (side, side)).save(out, "PNG")
    return out.getvalue()


def test_json_text_and_nothing() -> None:
    """JSON is a value, text is a text in its own characters, and no body is null."""
    assert read(b'{"a": [1, 2.5, null]}', content_type="application/json") == {"a": [1, 2.5, None]}
    assert read(b"[1]", content_type="application/problem+json; charset=utf-8") == [1]
    assert read("ä".encode("latin-1"), content_type="text/plain; charset=ISO-8859-1") == "ä"
    assert read("\ufeffä".encode(), content_type="text/csv") == "ä"
    assert read(b"") is None


def test_a_picture_is_checked_as_an_upload_is() -> None:
    """By its content: what only says that it is a picture is refused."""
    picture = read(png(), content_type="image/jpeg", most=10)
    assert isinstance(picture, Picture)
    assert picture.encode().media_type == "image/png"
    assert picture.encode().data == png()
    for data in (b"<svg/>", b"%PDF-1.4", b"\x89PNG\r\n\x1a\n", b"no picture"):
        with pytest.raises(InvalidInput):
            read(data, content_type="image/png")


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"%PDF", "application/pdf"),
        (b"x", ""),
        (b"x", "application/octet-stream"),
        (b"<svg/>", "image/svg+xml"),
        (b"x", "multipart/form-data"),
        (b"{", "application/json"),
        (b"NaN", "application/json"),
        (b"1e999", "application/json"),
        (b"1" * 30, "application/json"),
        (b'"\\ud800"', "application/json"),
        (b"\xff", "application/json"),
        (b"\xff", "text/plain"),
        (b"x", "text/plain; charset=utf-7"),
        (b"x", "text/plain; charset=nobody"),
        (b"[" * (DEPTH + 2) + b"]" * (DEPTH + 2), "application/json"),
        (b"[" * 400 + b"]" * 400, "application/json"),
    ],
)
def test_a_body_of_another_type_is_refused(data: bytes, content_type: str) -> None:
    """Other types, and what is not what it says."""
    with pytest.raises(InvalidInput):
        read(data, content_type=content_type)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_a_compressed_body_is_decompressed(coding: str) -> None:
    """As it arrives, in pieces of any size."""
    value = {"text": "a" * 900}
    data = json.dumps(value).encode()
    packed = zlib.compress(data) if coding == "deflate" else gzip.compress(data)
    for piece in (1, 7, 10_000):
        assert read(packed, piece=piece, content_type="application/json", content_encoding=coding) == value


def test_size_is_bounded_packed_and_unpacked() -> None:
    """What is too large is refused before it is held, also when it is small on the wire."""
    assert read(b"a" * MOST, content_type="text/plain") == "a" * MOST
    with pytest.raises(InvalidInput, match="larger than 1,000 bytes"):
        read(b"a" * (MOST + 1), content_type="text/plain")
    with pytest.raises(InvalidInput, match="larger"):
        Body({"content-type": "text/plain", "content-length": "99999999999"}, MOST)
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 50_000
    with pytest.raises(InvalidInput, match="larger"):
        read(bomb, piece=len(bomb), content_type="text/plain", content_encoding="gzip")


@pytest.mark.parametrize(
    ("data", "coding"),
    [(b"x", "br"), (b"x", "gzip, gzip"), (b"not packed", "gzip"), (gzip.compress(b"a" * 500, mtime=0)[:-12], "gzip")],
)
def test_a_body_that_cannot_be_decompressed_is_refused(data: bytes, coding: str) -> None:
    """Packings that are not read here, and what is damaged or cut off."""
    with pytest.raises(InvalidInput):
        read(data, content_type="text/plain", content_encoding=coding)


def test_a_message_shows_the_beginning_of_a_body_on_one_line() -> None:
    """A message shows the beginning of a body on one line, without control characters."""
    body = Body({"content-type": "text/html"}, MOST)
    assert body.said(b"<h1>No\x1b[31m</h1>\r\n  such\tthing \xff") == "<h1>No [31m</h1> such thing \ufffd"
