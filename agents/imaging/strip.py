"""Taking the metadata out of a JPEG or WebP file without touching its pixels."""

import re

from streams.media import Format

_KEPT_SEGMENTS = frozenset({0xE0, 0xEE})
"""JFIF and Adobe: they say how the samples are to be read. All other application segments and comments go."""

_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Ends the data of a scan: not a stuffed byte, not a restart, not a fill byte."""

_KEPT_CHUNKS = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"VP8X"})
_VP8X_ALPHA = 0x10


def strip(data: bytes, format: Format) -> bytes | None:
    """The same picture without metadata; None where that takes encoding it anew."""
    match format:
        case Format.JPEG:
            return _jpeg(data)
        case Format.WEBP:
            return _webp(data)
    return None


def _jpeg(data: bytes) -> bytes | None:
    """The segments of one JPEG up to its end marker; what follows (a second picture, a film) goes too."""
    kept = [data[:2]]
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == 0xD9:
            return b"".join([*kept, b"\xff\xd9"])
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xDA:
            following = _NEXT_MARKER.search(data, end)
            if following is None:
                return None
            end = following.start()
        if marker in _KEPT_SEGMENTS or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[position:end])
        position = end
    return b"".join([*kept, b"\xff\xd9"]) if data[position : position + 2] == b"\xff\xd9" else None


def _webp(data: bytes) -> bytes | None:
    """The chunks that hold the pixels of a still WebP, in a RIFF of their own."""
    kept = []
    position = 12
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        end = position + 8 + size + size % 2
        if name == b"VP8X":
            flags = data[position + 8] & _VP8X_ALPHA
            kept.append(data[position : position + 8] + bytes([flags]) + data[position + 9 : end])
        elif name in _KEPT_CHUNKS:
            kept.append(data[position:end])
        position = end
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body if kept else None
