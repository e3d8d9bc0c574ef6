"""The bytes of a picture as a reader of headers gets them: in no more pieces than an honest file needs.

A reader takes a header piece by piece, in Python, and a stranger's file says how many pieces there are: a million empty
segments of a JPEG keep a gateway for seconds.
"""

from io import BytesIO

MOST_PIECES = 10_000
"""Pieces of a header: a chunk of a PNG or a segment of a JPEG are three, a tag of a TIFF one or two."""

_PNG = b"\x89PNG\r\n\x1a\n"


class Header(BytesIO):
    """A file of which little is read until its header has `ended`. Raises ValueError when it is more."""

    def __init__(self, data: bytes) -> None:
        """Raises ValueError for a PNG with several colour profiles: each unpacks to a thousand times its size."""
        super().__init__(data)
        self._pieces = MOST_PIECES
        self._bounded = True
        if data.startswith(_PNG) and _profiles(data) > 1:
            raise ValueError("it has more than one colour profile")

    def ended(self) -> None:
        """The header is read: what follows are pixels, which take as long as they take."""
        self._bounded = False

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file reads."""
        piece = super().read(size)
        if self._bounded:
            self._pieces -= 1
            if self._pieces < 0:
                raise ValueError("it is cut into more pieces than any honest writer makes")
        return piece


def _profiles(data: bytes) -> int:
    """The colour profiles before the pixels of a PNG, as far as its header may reach."""
    found, position = 0, len(_PNG)
    for _ in range(MOST_PIECES):
        name = data[position + 4 : position + 8]
        if len(name) < 4 or name == b"IDAT":
            break
        found += name == b"iCCP"
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return found
