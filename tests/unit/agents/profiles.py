"""Colour profiles: matrices and curves under whatever name."""

import struct
from collections.abc import Sequence

XYZ = tuple[float, float, float]

SRGB: tuple[XYZ, XYZ, XYZ] = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""Its primaries in the connection space (D50)."""
WIDE: tuple[XYZ, XYZ, XYZ] = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))
"""Those of Display P3."""


def gamma(exponent: float) -> bytes:
    """A curve that is a power."""
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(exponent * 256)) + bytes(2)


def srgb_curve(points: int) -> bytes:
    """The curve of sRGB in so many points."""
    levels = [point / (points - 1) for point in range(points)]
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return b"curv" + bytes(4) + struct.pack(f">I{points}H", points, *(round(65535 * level) for level in linear))


def matrix_profile(name: bytes, primaries: Sequence[XYZ], curve: bytes) -> bytes:
    """An ICC profile of these red, green and blue primaries and one curve for each."""
    red, green, blue = primaries
    tags = {
        b"desc": _description(name),
        b"wtpt": _xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": _xyz(*red),
        b"gXYZ": _xyz(*green),
        b"bXYZ": _xyz(*blue),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
        b"cprt": b"text" + bytes(4) + b"none\0" + bytes(3),
    }
    return _profile(tags)


def swapped_profile() -> bytes:
    """A profile that nobody can overlook: its red primary is sRGB's blue and its blue primary is sRGB's red."""
    red, green, blue = SRGB
    return matrix_profile(b"swapped", (blue, green, red), gamma(2.2))


def _profile(tags: dict[bytes, bytes]) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _s15(0.9642) + _s15(1.0) + _s15(0.8249)
    return header.ljust(128, b"\0") + table + body


def _description(text: bytes) -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78)


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + _s15(x) + _s15(y) + _s15(z)


def _s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
