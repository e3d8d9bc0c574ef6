"""The parts of a multipart body, as browsers and other systems write them (RFC 2046, RFC 7578)."""

import codecs
import re
from collections.abc import AsyncGenerator, AsyncIterator

from python_multipart.multipart import parse_options_header
from starlette.formparsers import MultiPartException, MultiPartParser

_QUOTED = re.compile(rb'"(?:\\.|[^"\\])*"')
_EXTENDED = re.compile(rb";\s*filename\*\s*=", re.IGNORECASE)
_CHARSET = "_charset_"
"""The field in which a browser names the encoding of the text fields after it."""
_TEXT = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp125\d|cp932|cp949|cp950|koi8-[ru]|shift_jis|euc_jp|iso2022_jp|euc_kr|gbk|gb2312|gb18030|big5"
)
"""Encodings of forms; Python has others that do not encode text."""


class Parser(MultiPartParser):
    """Knows whether the body is complete: the missing parts of a truncated body would look like omitted ones."""

    ended = True

    def on_part_begin(self) -> None:
        """Begin the next part."""
        super().on_part_begin()
        self.ended = False

    def on_headers_finished(self) -> None:
        """End a part's headers. A part with a file name in the extended form only is a file too."""
        disposition = self._current_part.content_disposition or b""
        named = b"filename" in parse_options_header(disposition)[1]
        if not named and _EXTENDED.search(_QUOTED.sub(b"", disposition)):
            self._current_part.content_disposition = disposition + b'; filename="file"'
        super().on_headers_finished()

    def on_part_end(self) -> None:
        """End a part."""
        part = self._current_part
        if part.file is None and part.field_name == _CHARSET:
            self._charset = _encoding(part.data.decode("latin-1"))
        else:
            super().on_part_end()

    def on_end(self) -> None:
        """End the body at the last boundary."""
        self.ended = True


def _encoding(named: str) -> str:
    try:
        name = codecs.lookup(named.strip()).name
    except LookupError:
        name = ""
    if not _TEXT.fullmatch(name):
        raise MultiPartException(f"its {_CHARSET} is not a known encoding of text: {named:.40}")
    return name


async def from_first(stream: AsyncIterator[bytes], content_type: str) -> AsyncGenerator[bytes, None]:
    """Yield the body from its first boundary on; the text before it is for people. Raises MultiPartException without one."""
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    line = re.compile(rb"\r\n--%s(?=\r\n|--|[ \t])" % re.escape(boundary or b""))
    longest = len(boundary or b"") + 6
    held, came, begun = b"\r\n", False, boundary is None  # the body begins at the beginning of a line
    async for chunk in stream:
        came = came or bool(chunk)
        if begun:
            yield chunk
            continue
        held += chunk
        if first := line.search(held):
            begun = True
            yield held[first.start() + 2 :]
        else:
            held = held[-longest:]
    if came and not begun:
        raise MultiPartException("no line of it is the boundary that its Content-Type names")
