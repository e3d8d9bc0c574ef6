"""Bringing decoded pixels to the one form that services work on: 8 bits, sRGB, and L, LA, RGB or RGBA."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageChops, ImageCms

from agents.imaging.deep import eight_bits
from streams.service.errors import InvalidInput

WORKING_MODES = frozenset({"L", "LA", "RGB", "RGBA"})


def working(image: Image.Image) -> Image.Image:
    """Copy an image in the working form, without metadata. Raises InvalidInput for pixels that cannot be converted to it.

    Grey of 12 or 16 bits is scaled by its full range; a palette is resolved; a colour key becomes alpha; CMYK and other colour
    spaces go to sRGB by their ICC profile. A profile that is broken or does not fit the pixels is passed over.
    """
    convert = _MODES.get(image.mode)
    if convert is None:
        raise InvalidInput(
            f"pixels of the kind {image.mode!r} cannot be shown in 8 bits without knowing their range",
            "save the picture with 8 or 16 bits a channel in grey, RGB or CMYK",
        )
    converted = convert(image)
    profile = image.info.get("icc_profile")
    if profile and not is_srgb(profile):
        converted = _to_srgb(converted, profile) or converted
    if converted.mode not in WORKING_MODES:
        converted = converted.convert("RGB")
    elif converted is image:
        converted = image.copy()  # never the file's own object: its metadata would be written again
    converted.info = {}
    return converted


def flat(image: Image.Image) -> Image.Image:
    """Flatten alpha onto white; an image without alpha is returned as it is."""
    if image.mode not in ("LA", "RGBA"):
        return image
    mode = image.mode[:-1]
    ground = Image.new(mode, image.size, "white")
    ground.paste(image.convert(mode), mask=image.getchannel("A"))
    return ground


@lru_cache(maxsize=16)
def is_srgb(profile: bytes) -> bool:
    """Return whether colours mean the same by an ICC profile as in sRGB, so that nothing needs converting.

    It is judged by what it does to colours: profiles are often called sRGB that have another curve or other primaries.
    """
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        probe = _PROBES.get(source.profile.xcolor_space.strip())
        converted = probe and ImageCms.profileToProfile(probe, source, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    if not probe or not converted:
        return False
    return max(ImageChops.difference(probe.convert("RGB"), converted).tobytes()) <= _UNSEEN


_UNSEEN = 3
"""Levels of 255 that a profile may differ from sRGB at most: small ones hold its curve in few points."""


def _probes() -> Mapping[str, Image.Image]:
    """Every grey, and colours from all of the cube, by the name that a profile has for their space."""
    greys = bytes(range(256))
    steps = range(0, 256, 51)
    colours = bytes(level for red in steps for green in steps for blue in steps for level in (red, green, blue))
    pixels = bytes(level for level in greys for _ in range(3)) + colours
    return {
        "GRAY": Image.frombytes("L", (len(greys), 1), greys),
        "RGB": Image.frombytes("RGB", (len(pixels) // 3, 1), pixels),
    }


_PROBES = _probes()


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert the pixels to sRGB, alpha kept; None when the profile is broken or is not for such pixels."""
    grey = image.mode in ("L", "LA")
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    pixels = image.convert(image.mode[:-1]) if alpha else image
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(pixels, source, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if converted is None:
        return None
    if grey:
        converted = converted.convert("L")
    if alpha:
        converted.putalpha(alpha)
    return converted


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _same(image: Image.Image) -> Image.Image:
    return image


def _keyed(opaque: str, keyed: str) -> Callable[[Image.Image], Image.Image]:
    """To `keyed` when the file names a transparent colour, else to `opaque`."""

    def convert(image: Image.Image) -> Image.Image:
        mode = keyed if "transparency" in image.info else opaque
        return image if image.mode == mode else image.convert(mode)

    return convert


def _to(mode: str) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.convert(mode)


_MODES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "1": _keyed("L", "LA"),
    "L": _keyed("L", "LA"),
    "LA": _same,
    "La": _to("LA"),
    "P": _keyed("RGB", "RGBA"),
    "PA": _to("RGBA"),
    "RGB": _keyed("RGB", "RGBA"),
    "RGBA": _same,
    "RGBa": _to("RGBA"),
    "RGBX": _to("RGB"),
    "CMYK": _same,
    "YCbCr": _to("RGB"),
    "I;16": eight_bits,
    "I;16L": eight_bits,
    "I;16B": eight_bits,
    "I;16N": eight_bits,
}
"""From what files hold. 32-bit integers and floats are missing: nothing says which range is black to white."""
