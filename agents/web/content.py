"""Read the body of an answer within limits: JSON, text or a picture; anything else is refused."""

import codecs
import json
import math
import re
import zlib
from collections.abc import Mapping
from typing import Any, Self

from schemas.refs import Ref
from streams.service.contract import Encoded, Media
from streams.service.errors import InvalidInput
from streams.service.media import LIMITS, inspect

DEPTH = 64
"""Largest nesting of lists and objects in an answer."""
_JSON = re.compile(r"application/(?:json|[\w.+-]+\+json)|text/json")
_TEXT = re.compile(
    r"text/(?:plain|html|css|csv|xml|markdown|calendar)|application/(?:xml|[\w.-]+\+xml|x-ndjson|yaml|x-yaml|toml)"
)
_PICTURE = re.compile(r"image/(?!svg)[\w.+-]+")
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_CHARSETS = frozenset({"utf-8", "ascii", "iso8859-1", "cp1252"})
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Picture(Media):
    """A picture of an answer: stored unchanged, after the checks of an upload."""

    kind = "image"

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._media_type = inspect(data).media_type

    @classmethod
    def decode(cls, data: bytes, ref: Ref) -> Self:  # noqa: ARG003  # as every Media has it
        """Return the picture of a ref."""
        return cls(data)

    def encode(self) -> Encoded:
        """Return its bytes and their media type."""
        return Encoded(self._media_type, self._data)


class Body:
    """The body of one answer as it arrives. Every method raises InvalidInput for what is too large or not what it says."""

    def __init__(self, headers: Mapping[str, str], most: int) -> None:
        """`most`: bytes of text or JSON."""
        self._type = headers.get("content-type", "").partition(";")[0].strip().lower()
        self._charset = _CHARSET.search(headers.get("content-type", ""))
        self._picture = bool(_PICTURE.fullmatch(self._type))
        self._most = LIMITS.size if self._picture else most
        self._chunks: list[bytes] = []
        self._size = 0
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > self._most:
            raise self._too_large()
        coding = headers.get("content-encoding", "").strip().lower()
        if coding not in (*_WINDOWS, "", "identity"):
            raise InvalidInput(
                f"the answer is packed with {coding:.20}, which is not read here", "gzip and deflate are"
            )
        self._unpack = zlib.decompressobj(_WINDOWS[coding]) if coding in _WINDOWS else None

    def feed(self, chunk: bytes) -> None:
        """Add a chunk, decompressing no more than the limit allows."""
        if self._unpack is None:
            self._keep(chunk)
            return
        try:
            while chunk and not self._unpack.eof:
                self._keep(self._unpack.decompress(chunk, self._most + 1 - self._size))
                chunk = self._unpack.unconsumed_tail
        except zlib.error as error:
            raise InvalidInput("the answer cannot be unpacked: what it says of itself is wrong") from error

    def end(self) -> bytes:
        """Return the whole body."""
        if self._unpack is not None and self._size and not self._unpack.eof:
            raise InvalidInput("the answer ends before what is packed in it does")
        return b"".join(self._chunks)

    def read(self, data: bytes) -> Any:
        """Parse the body: JSON as a value, text as a str, a picture as a Picture, an empty body as None."""
        if not data:
            return None
        if self._picture:
            return Picture(data)
        if _JSON.fullmatch(self._type):
            return _json(self._text(data))
        if _TEXT.fullmatch(self._type):
            return self._text(data)
        raise InvalidInput(
            f"the answer is {self._type or 'of no type'!r:.80}",
            "JSON, text and pictures are read here; ask for one of them",
        )

    def said(self, data: bytes) -> str:
        """Return the beginning of a body, for an error message."""
        text = data[:2000].decode("utf-8", "replace") if not self._picture else ""
        return " ".join("".join(character if character.isprintable() else " " for character in text).split())

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._most:
            raise self._too_large()
        self._chunks.append(data)

    def _too_large(self) -> InvalidInput:
        return InvalidInput(f"the answer is larger than {self._most:,} bytes", "ask for less of it, such as one page")

    def _text(self, data: bytes) -> str:
        name = self._charset[1] if self._charset else "utf-8"
        try:
            known = codecs.lookup(name).name
            if known not in _CHARSETS:
                raise LookupError(name)
            return data.decode("utf-8-sig" if known == "utf-8" else known)
        except (LookupError, UnicodeError):
            raise InvalidInput(f"the answer is not text in {name:.20}", "UTF-8 is read here") from None


def _json(text: str) -> Any:
    def number(stripped: str) -> None:
        raise ValueError(stripped)

    try:
        value = json.loads(text, parse_constant=number)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate, which cannot be encoded
    except (ValueError, RecursionError):
        raise InvalidInput("the answer says that it is JSON, and is not") from None
    _check(value, DEPTH)
    return value


def _check(value: Any, depth: int) -> None:
    """Refuse values that records cannot carry. Raises InvalidInput."""
    if isinstance(value, dict | list):
        if not depth:
            raise InvalidInput(f"the answer has lists and objects more than {DEPTH} levels deep")
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput("the answer holds a number beyond all bounds")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidInput("the answer holds a whole number of more than 64 bits")
