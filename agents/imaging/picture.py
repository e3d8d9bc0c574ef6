"""Picture: what a service's function sees where its contract says `image`.

How pictures are handled, for every service:

- Pixels are upright (EXIF orientation applied), 8 bits a channel, sRGB, in Pillow's mode L, LA, RGB or RGBA. Grey of 12
  or 16 bits is scaled by its full range; palettes are resolved; CMYK and profiles other than sRGB are converted. 32-bit
  and floating-point pixels are refused, since nothing says which range is black to white.
- What is made keeps the format of what it was made from. A JPEG is written with the tables of its source.
- What is made carries no metadata: no EXIF, no GPS, no comments, no thumbnail, no profile (it is sRGB already).
- A picture that a service gives back untouched keeps its pixels: JPEG and WebP files that are in the form above lose
  their metadata without being encoded again.
- A file with several frames or pages (GIF, WebP, PNG, TIFF) is read by its first one. Making a picture of it in its own
  format is refused, because the other frames would be lost in silence; image-convert takes the first frame on request.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

from PIL import Image

from agents.imaging.encode import QUALITY, encode, like, lossy
from agents.imaging.source import Size, Source
from agents.imaging.strip import strip
from schemas.refs import Ref
from streams.service.contract import Encoded, Media
from streams.service.errors import InvalidInput
from streams.service.media import Format


class Picture(Media):
    """A picture that came in, or one made from it."""

    kind: ClassVar[str] = "image"

    def __init__(
        self,
        source: Source,
        replacement: Image.Image | None = None,
        format: Format | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the pixels of `source`, or of `replacement` in the working form.

        It is written in `format` (None: that of the source) with `options` of its writer.
        """
        self.source = source
        self._replacement = replacement
        self._format = format or source.info.format
        self._options = options or {}

    @classmethod
    def decode(cls, data: bytes, ref: Ref | None = None) -> Self:  # noqa: ARG003  # only the content counts
        """Decode a picture from its bytes; the ref's media type is ignored. Raises InvalidInput."""
        return cls(Source(data))

    @property
    def size(self) -> Size:
        """Width and height of the upright picture."""
        return self.source.size if self._replacement is None else self._replacement.size

    @cached_property
    def pixels(self) -> Image.Image:
        """The upright pixels. Raises InvalidInput when the file is damaged."""
        return self.source.pixels() if self._replacement is None else self._replacement

    def reduced(self, at_least: Size) -> Image.Image:
        """Return the upright pixels, perhaps at a fraction of their size, but no side smaller than asked for.

        For work that does not need all pixels: large photos decode several times faster. Raises InvalidInput.
        """
        return self.source.pixels(at_least=at_least) if self._replacement is None else self._replacement

    def grey(self, at_least: Size | None = None) -> Image.Image:
        """Return the upright pixels in L or LA: the luminance of ITU-R BT.601; `at_least` as in `reduced`. Raises InvalidInput."""
        image = self.source.pixels(at_least, grey=True) if self._replacement is None else self._replacement
        return image.convert("LA" if image.mode in ("LA", "RGBA") else "L")

    def replaced(self, pixels: Image.Image) -> "Picture":
        """Replace the pixels and keep the format. Raises InvalidInput for a file with several frames."""
        if self._replacement is not None:
            return Picture(self.source, pixels, self._format, self._options)
        self._still()
        return Picture(self.source, pixels, options=like(self.source, pixels.mode))

    def converted(self, format: Format, quality: int | None = None) -> "Picture":
        """Convert the first frame to another format; `quality` is 1 to 100, for JPEG and WebP. Raises InvalidInput.

        Without a quality, what is a still in this format already stays as it is, but for its metadata.
        """
        if quality is None and self._replacement is None and format is self._format and self.source.info.frames == 1:
            return self
        return Picture(self.source, self.pixels, format, lossy(format, QUALITY if quality is None else quality))

    def encode(self) -> Encoded:
        """Encode the picture as a file without metadata. Raises InvalidInput for a damaged file or one with several frames."""
        if self._replacement is not None:
            return Encoded(self._format.media_type, encode(self._replacement, self._format, self._options))
        self._still()
        pixels = self.pixels  # decoded even if only stripped: a damaged file must not pass
        stripped = strip(self.source.data, self._format) if self.source.normal else None
        if stripped is not None:
            return Encoded(self._format.media_type, stripped)
        return self.replaced(pixels).encode()

    def _still(self) -> None:
        info = self.source.info
        if info.frames > 1:
            what = "pages" if info.format is Format.TIFF else "frames"
            raise InvalidInput(
                f"the {info.format} file has {info.frames} {what}, and all but the first would be lost",
                "convert it with image-convert first, which takes the first one",
            )
