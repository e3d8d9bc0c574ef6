"""Shades of more than 8 bits and transparent colours, in files made here sample by sample."""

import struct
import zlib
from collections.abc import Sequence

import pytest

from agents.imaging.picture import Picture
from streams.service.media import inspect

NONE, DEFLATE = 1, 8
WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1


def packed(samples: Sequence[int], bits: int, order: str = ">") -> bytes:
    """Samples of so many bits each, as one row."""
    if bits == 16:
        return struct.pack(f"{order}{len(samples)}H", *samples)
    text = "".join(f"{sample:0{bits}b}" for sample in samples)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def tiff(samples: Sequence[int], bits: int, order: str, photometric: int, compression: int) -> bytes:
    """A grey TIFF of one row."""
    row = packed(samples, bits, order)
    if compression == DEFLATE:
        row = zlib.compress(row)
    row += bytes(len(row) % 2)
    tags = {256: len(samples), 257: 1, 258: bits, 259: compression, 262: photometric, 273: 8, 277: 1, 278: 1}
    tags[279] = len(row)
    entries = b"".join(struct.pack(f"{order}2HI2H", tag, 3, 1, value, 0) for tag, value in tags.items())
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(row))
    return head + row + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def png(samples: Sequence[int], bits: int, key: Sequence[int]) -> bytes:
    """A PNG of one row in grey or, with a key of three samples, in colour; the key is transparent."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    colour = 2 if len(key) == 3 else 0
    header = struct.pack(">2I5B", len(samples) // len(key), 1, bits, colour, 0, 0, 0)
    pixels = zlib.compress(b"\0" + packed(samples, bits))
    parts = (b"IHDR", header), (b"tRNS", struct.pack(f">{len(key)}H", *key)), (b"IDAT", pixels), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
@pytest.mark.parametrize("bits", [12, 16])
def test_shades_have_the_range_of_their_bits(order: str, compression: int, bits: int) -> None:
    """Black is 0 and white 255, whatever the bits, the byte order, and the end of the shades that is white."""
    full = 2**bits - 1
    shades = [0, full, full // 2 + 1, full // 4, full // 85]
    wanted = [0, 255, 128, 64, 3]
    for photometric in (BLACK_IS_ZERO, WHITE_IS_ZERO):
        data = tiff(shades, bits, order, photometric, compression)
        assert inspect(data).width == len(shades)
        pixels = list(Picture.decode(data).pixels.tobytes())
        assert pixels == (wanted if photometric == BLACK_IS_ZERO else [255 - shade for shade in wanted])


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_shade(bits: int) -> None:
    """The shade that a grey PNG names is transparent, and no other one, by all bits of it."""
    full = 2**bits - 1
    key = full // 2
    pixels = Picture.decode(png([0, key, key + 1, full], bits, [key])).pixels
    assert pixels.mode == "LA"
    shades, alphas = pixels.tobytes()[::2], list(pixels.tobytes()[1::2])
    assert alphas == [0 if shade == key else 255 for shade in (0, key, key + 1, full)]
    assert (shades[0], shades[3]) == (0, 255)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_colour(bits: int) -> None:
    """The same of a colour, also where another one differs in its last bit only."""
    key = [0x12, 0x34, 0x56] if bits == 8 else [0x1234, 0x3456, 0x5678]
    other = [*key[:2], key[2] + 1]
    pixels = Picture.decode(png([*key, *other], bits, key)).pixels
    assert pixels.mode == "RGBA"
    assert list(pixels.getchannel("A").tobytes()) == [0, 255]
    assert list(pixels.convert("RGB").tobytes())[:3] == [0x12, 0x34, 0x56]


def test_a_transparent_shade_of_too_many_bits() -> None:
    """Only as many bits of it count as the samples have."""
    pixels = Picture.decode(png([0, 5, 255], 8, [0x0105])).pixels
    assert list(pixels.tobytes()[1::2]) == [255, 0, 255]
