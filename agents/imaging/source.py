"""An encoded picture as it came: checked by its header at once, decoded only when pixels are asked for."""

from typing import cast

from PIL import ExifTags, Image, JpegImagePlugin
from PIL.ImageFile import ImageFile

from agents.imaging.colour import WORKING_MODES, is_srgb, working
from agents.imaging.deep import unpacked
from agents.imaging.strip import is_lossless
from streams.service.errors import InvalidInput
from streams.service.media import Format, MediaInfo, open_header
from streams.service.media.header_reader import chunks

Size = tuple[int, int]
"""Width and height in pixels."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings each EXIF orientation upright."""

_BASELINE_MOST = 255
"""The largest entry of a table that every JPEG reader understands."""

_SIDEWAYS = frozenset({5, 6, 7, 8})


class Source:
    """The bytes of a picture file and what can be got from them; every decoding starts from the bytes again."""

    def __init__(self, data: bytes) -> None:
        """Open a file without decoding its pixels. Raises InvalidInput for what `streams.service.media` does not allow."""
        self.data = data
        self.info, self._header = open_header(data)
        self.mode: str = self._header.mode
        """Pillow's name of the stored pixels: `RGB`, `CMYK`, `P`, `I;16`, …"""
        self.orientation = _orientation(self._header, self.info, data)
        width, height = self._header.size
        sideways = self.orientation in _SIDEWAYS
        self.size: Size = (height, width) if sideways else (width, height)
        """Of the upright picture."""

    @property
    def header(self) -> ImageFile:
        """The opened file, for reading its metadata; not for decoding."""
        return self._header

    @property
    def normal(self) -> bool:
        """Whether the stored pixels are in the working form already: upright, 8 bits, sRGB."""
        profile = self._header.info.get("icc_profile")
        plain = self.mode in WORKING_MODES and "transparency" not in self._header.info
        return plain and self.orientation == 1 and (not profile or is_srgb(profile))

    def pixels(self, at_least: Size | None = None, grey: bool = False) -> Image.Image:
        """Decode the first frame, upright, in the working form (see `colour.working`).

        With `at_least`, a JPEG may be decoded at a half, quarter or eighth of its size as long as neither side gets
        smaller than asked, which is several times faster. With `grey`, colours may be left undecoded.
        Raises InvalidInput when the file is damaged.
        """
        image = open_header(self.data)[1]
        if self.info.format is Format.JPEG:
            self._draft(cast(JpegImagePlugin.JpegImageFile, image), at_least, grey)
        try:
            pixels = working(unpacked(image, self.data))
        except (MemoryError, InvalidInput):
            raise
        except Exception as error:  # decoders raise a dozen kinds; all of them come from these bytes
            raise InvalidInput(
                f"the {self.info.format} picture is damaged: {str(error) or type(error).__name__}",
                "the file is cut short or broken: export it again",
            ) from error
        return pixels.transpose(_TURNS[self.orientation]) if self.orientation in _TURNS else pixels

    @property
    def lossless(self) -> bool:
        """Whether a WebP holds its pixels without loss."""
        return is_lossless(self.data)

    def jpeg_tables(self) -> dict[int, list[int]] | None:
        """Return a JPEG's quantisation tables: encoding again with them loses least. None when they cannot be used."""
        tables: dict[int, list[int]] = getattr(self._header, "quantization", {})
        numbered = tables and sorted(tables) == list(range(len(tables)))  # the writer knows no other numbers
        usable = self.mode in ("L", "RGB") and numbered and max(map(max, tables.values())) <= _BASELINE_MOST
        return tables if usable else None

    def jpeg_sampling(self) -> int:
        """Return the chroma subsampling of a JPEG as Pillow numbers it; -1 when unknown."""
        return JpegImagePlugin.get_sampling(self._header)

    def _draft(self, image: JpegImagePlugin.JpegImageFile, at_least: Size | None, grey: bool) -> None:
        if at_least is not None and self.orientation in _SIDEWAYS:
            at_least = at_least[::-1]
        profile = image.info.get("icc_profile")
        # Luminance alone can be taken only where no profile has to be applied to the colours first.
        grey = grey and image.mode == "RGB" and (not profile or is_srgb(profile))
        if grey or at_least is not None:
            image.draft("L" if grey else None, at_least or image.size)


def _orientation(header: ImageFile, info: MediaInfo, data: bytes) -> int:
    """1 to 8, as the decoded pixels still need it; 1 for a file without a readable one."""
    if info.format is Format.TIFF:
        return 1  # its reader turns size and pixels itself
    try:
        if info.format is Format.PNG and "exif" not in header.info and b"eXIf" in data:
            _take_late_exif(header, data)
        value = exif(header).get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001  # metadata that cannot be read turns nothing
        return 1
    return value if value in _TURNS else 1


def exif(header: ImageFile) -> Image.Exif:
    """Return the EXIF of an opened file. A PNG's own method is not used: it decodes all pixels first, to look behind them."""
    return Image.Image.getexif(header)


def _take_late_exif(header: ImageFile, data: bytes) -> None:
    """Add EXIF to the header of a PNG that has it behind its pixels."""
    for name, begin, end in chunks(data):
        if name == b"eXIf":
            header.info["exif"] = b"Exif\0\0" + data[begin:end]
            return
