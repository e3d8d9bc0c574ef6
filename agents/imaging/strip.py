"""Taking the metadata out of a JPEG or WebP file without touching its pixels."""

import re
from collections.abc import Iterator

from streams.service.media import Format

_KEPT_SEGMENTS = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
"""How the samples are to be read: by marker, what JFIF's and Adobe's segment begin with, and their bytes. What stands
behind that (a thumbnail), their markers with another beginning, all other application segments and comments go."""

_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Ends the data of a scan: not a stuffed byte, not a restart, not a fill byte."""

_PIXEL_CHUNKS = frozenset({b"VP8 ", b"VP8L"})
_KEPT_CHUNKS = _PIXEL_CHUNKS | {b"ALPH", b"VP8X"}
_VP8X_ALPHA = 0x10
_FRAME_HEAD = 24
"""Bytes of an animation's frame before the chunks in it."""


def strip(data: bytes, format: Format) -> bytes | None:
    """Remove the metadata from a file; None when that is not possible without encoding it again."""
    match format:
        case Format.JPEG:
            return _jpeg(data)
        case Format.WEBP:
            return _webp(data)
    return None


def _jpeg(data: bytes) -> bytes | None:
    """Copy a JPEG up to its end marker, without metadata; what follows it (a second picture, a film) is dropped too."""
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
        if marker in _KEPT_SEGMENTS:
            kept.append(_plain(marker, data[position + 4 : end]))
        elif not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[position:end])
        position = end
    return b"".join([*kept, b"\xff\xd9"]) if data[position : position + 2] == b"\xff\xd9" else None


def _plain(marker: int, content: bytes) -> bytes:
    """JFIF's or Adobe's segment without what may be behind it; nothing for another one with their marker."""
    begins, length = _KEPT_SEGMENTS[marker]
    if not content.startswith(begins) or len(content) < length:
        return b""
    segment = content[:12] + b"\0\0" if marker == 0xE0 else content[:length]  # a thumbnail of no width and height
    return bytes([0xFF, marker]) + (length + 2).to_bytes(2, "big") + segment


def _webp(data: bytes) -> bytes | None:
    """Copy the chunks with the pixels of a still WebP to a new RIFF file; None for an animation."""
    kept = {name: chunk for name, chunk in chunks(data) if name in _KEPT_CHUNKS}
    if not _PIXEL_CHUNKS & kept.keys():
        return None
    if b"VP8X" in kept:
        whole = kept[b"VP8X"]
        kept[b"VP8X"] = whole[:8] + bytes([whole[8] & _VP8X_ALPHA]) + whole[9:]
    body = b"WEBP" + b"".join(kept.values())
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def is_lossless(data: bytes) -> bool:
    """Whether the first picture of a WebP, which may be a frame of an animation, is stored without loss."""
    for name, chunk in chunks(data):
        if name in _PIXEL_CHUNKS:
            return name == b"VP8L"
        if name == b"ANMF":
            return any(inner == b"VP8L" for inner, _ in chunks(chunk, _FRAME_HEAD))
    return False


def chunks(data: bytes, position: int = 12) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the bytes of each RIFF chunk from `position` on.

    See https://developers.google.com/speed/webp/docs/riff_container.
    """
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        end = position + 8 + size + size % 2
        yield data[position : position + 4], data[position:end]
        position = end
