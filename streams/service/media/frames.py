"""How many frames a GIF or pages a TIFF holds, counted from its blocks without decoding them."""

MOST = 1000
"""Counting stops here: a hostile file can hold millions."""

_MOST_STEPS = 1_000_000


def count(format: str, data: bytes, known: int) -> int:
    """Count the frames of a picture, at least 1 and at most MOST; `known` is what a reader found when it opened the file.

    A file that ends early gives the frames up to there. Raises ValueError for one cut into absurdly many blocks.
    """
    try:
        if format == "gif":
            return max(1, _gif(data))
        if format == "tiff":
            return max(1, _tiff(data))
    except IndexError:
        return 1
    return min(max(1, known), MOST)


def _gif(data: bytes) -> int:
    """Count the image blocks of a GIF: https://www.w3.org/Graphics/GIF/spec-gif89a.txt"""
    position = 13 + _colours(data[10])
    images = steps = 0
    while position < len(data) and images < MOST:
        block = data[position]
        if block == 0x3B:
            break
        if block == 0x2C:  # an image: 9 bytes of place and flags, a colour table, the code size, its data
            images += 1
            position += 10
            if position > len(data):
                break
            position += _colours(data[position - 1]) + 1
        elif block == 0x21:  # an extension: its label, its data
            position += 2
        while block in (0x2C, 0x21) and position < len(data) and data[position] and steps <= _MOST_STEPS:
            position += data[position] + 1
            steps += 1
        position += 1
        steps += 1
        if steps > _MOST_STEPS:
            raise ValueError("it is cut into more blocks than any honest writer makes")
    return images


def _colours(flags: int) -> int:
    """Return the bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _tiff(data: bytes) -> int:
    """Count the directories of a TIFF or BigTIFF; a chain that loops ends where it does."""
    order = "little" if data.startswith(b"II") else "big"
    big = data[2:4] in (b"+\0", b"\0+")
    word, entries, entry, first = (8, 8, 20, 8) if big else (4, 2, 12, 4)
    seen: set[int] = set()
    position = int.from_bytes(data[first : first + word], order)  # type: ignore[arg-type]  # one of its two words
    while 0 < position < len(data) and position not in seen and len(seen) < MOST:
        seen.add(position)
        number = int.from_bytes(data[position : position + entries], order)  # type: ignore[arg-type]
        after = position + entries + number * entry
        position = int.from_bytes(data[after : after + word], order)  # type: ignore[arg-type]
    return len(seen)
