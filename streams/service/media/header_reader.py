"""The bytes of a picture as a reader of headers gets them: in no more pieces than an honest file needs.

A reader takes a header piece by piece, in Python, and a stranger's file says how many pieces there are: a million empty
segments of a JPEG keep a gateway for seconds.
"""

from collections.abc import Iterator
from io import BytesIO
from itertools import islice, takewhile

MOST_PIECES = 10_000
"""Pieces of a header: a chunk of a PNG or a segment of a JPEG are three, a tag of a TIFF one or two."""

_PNG = b"\x89PNG\r\n\x1a\n"


class Header(BytesIO):
    """A file of which little is read until its header has `ended`. Raises ValueError when it is more."""

    def __init__(self, data: bytes) -> None:
        """Raise ValueError for a PNG with several colour profiles: each unpacks to a thousand times its size."""
        super().__init__(data)
        self._pieces = MOST_PIECES
        self._bounded = True
        if data.startswith(_PNG) and _profiles(data) > 1:
            raise ValueError("it has more than one colour profile")

    def ended(self) -> None:
        """End the bound: the header is read, and the pixels that follow take as long as they take."""
        self._bounded = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does. Raises ValueError past MOST_PIECES."""
        piece = super().read(size)
        if self._bounded:
            self._pieces -= 1
            if self._pieces < 0:
                raise ValueError("it is cut into more pieces than any honest writer makes")
        return piece


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the chunks of a PNG: name, and where the content begins and ends (https://www.w3.org/TR/png-3/#5DataRep)."""
    position = len(_PNG)
    while position + 8 <= len(data):
        begin = position + 8
        end = begin + int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : begin], begin, end
        position = end + 4


def _profiles(data: bytes) -> int:
    """Count the colour profiles before the pixels of a PNG, as far as its header may reach."""
    names = (name for name, _, _ in islice(chunks(data), MOST_PIECES))
    return sum(name == b"iCCP" for name in takewhile(lambda name: name != b"IDAT", names))
