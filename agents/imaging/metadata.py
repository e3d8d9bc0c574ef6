"""What a picture file says about itself: EXIF as readable text, and where it was taken."""

from collections.abc import Mapping
from typing import Any

from PIL import ExifTags

from agents.imaging.source import Source
from agents.imaging.source import exif as opened_exif

LONGEST = 200
"""Characters of one EXIF value; what is longer is cut."""

_GROUPS: tuple[tuple[int | None, Mapping[int, str]], ...] = (
    (None, ExifTags.TAGS),
    (ExifTags.IFD.Exif, ExifTags.TAGS),
)

_UTF16 = frozenset(range(ExifTags.Base.XPTitle, ExifTags.Base.XPSubject + 1))
"""What Windows writes: UTF-16 whose bytes are said to be numbers."""

_COMMENTS = {b"ASCII\0\0\0": "utf-8", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp"}
"""The encoding of a comment by how it begins (CIPA DC-008, UserComment)."""

_POINTERS = frozenset({ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop, ExifTags.IFD.MakerNote})


def exif(source: Source) -> dict[str, str]:
    """EXIF values by tag name, printable, without thumbnails, maker notes and offsets; empty when there is none."""
    if "exif" not in source.header.info and not hasattr(source.header, "tag_v2"):
        return {}
    values: dict[str, str] = {}
    for group, names in _GROUPS:
        for tag, value in _entries(source, group).items():
            text = _printable(tag, value)
            if tag not in _POINTERS and tag in names and text:
                values[names[tag]] = text
    return dict(sorted(values.items()))


def position(source: Source) -> tuple[float, float, float | None] | None:
    """Latitude and longitude in decimal degrees (north, east positive) and altitude in metres; None if unknown."""
    entries = _entries(source, ExifTags.IFD.GPSInfo)
    latitude = _degrees(entries.get(ExifTags.GPS.GPSLatitude), entries.get(ExifTags.GPS.GPSLatitudeRef), "S", 90)
    longitude = _degrees(entries.get(ExifTags.GPS.GPSLongitude), entries.get(ExifTags.GPS.GPSLongitudeRef), "W", 180)
    if latitude is None or longitude is None:
        return None
    altitude = _number(entries.get(ExifTags.GPS.GPSAltitude))
    if altitude is not None and entries.get(ExifTags.GPS.GPSAltitudeRef) in (1, b"\x01"):
        altitude = -altitude
    return latitude, longitude, altitude


def _entries(source: Source, group: int | None) -> Mapping[int, Any]:
    """Return the entries of one EXIF directory (None: the first); empty when it cannot be read."""
    try:
        header = opened_exif(source.header)
        return dict(header) if group is None else dict(header.get_ifd(group))
    except Exception:  # noqa: BLE001  # metadata is not the picture: what cannot be read is left out
        return {}


def _printable(tag: int, value: Any) -> str:
    """Decode a value as text, in the encoding of its tag."""
    if tag in _UTF16 and isinstance(value, bytes | tuple):
        try:
            return _text(bytes(value).decode("utf-16-le", "ignore"))
        except ValueError:  # numbers out of a byte's range
            return ""
    if tag == ExifTags.Base.UserComment and isinstance(value, bytes):
        encoding = _COMMENTS.get(value[:8])
        return _text(value[8:].decode(encoding, "ignore") if encoding else value)
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        value = " ".join(_text(item) for item in value[:LONGEST])
    if isinstance(value, str):
        value = _utf8(value)
    elif isinstance(value, bytes):
        value = value.decode("utf-8", "ignore")
    text = "".join(char for char in str(value) if char.isprintable()).strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _utf8(text: str) -> str:
    """Decode EXIF text as UTF-8, which cameras write though the standard says ASCII; Pillow reads it as Latin-1."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _degrees(parts: Any, ref: Any, negative: str, most: float) -> float | None:
    """Decimal degrees of (degrees, minutes, seconds)."""
    if not isinstance(parts, tuple) or not 1 <= len(parts) <= 3:
        return None
    numbers = [_number(part) for part in parts]
    value = 0.0
    for number, share in zip(numbers, (1, 60, 3600), strict=False):
        if number is None:
            return None
        value += number / share
    if not 0 <= value <= most:
        return None
    name = ref.decode("ascii", "ignore") if isinstance(ref, bytes) else str(ref or "")
    return round(-value if name.strip("\0 ").upper().startswith(negative) else value, 7)


def _number(value: Any) -> float | None:
    """Convert a value to a finite number; None for any other, such as a fraction with the denominator 0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if abs(number) < float("inf") else None
