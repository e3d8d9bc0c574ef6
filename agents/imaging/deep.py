"""What Pillow leaves undone of deep pixels and of transparent colours: which range they have, and which pixels are meant.

It reads the shades of a TIFF as they are stored, whatever their bits and whichever end is white, and hands over the transparent
colour of a PNG as the file has it, though it scales the pixels, or keeps the upper half of each sample only.
"""

from PIL import Image
from PIL.ImageFile import ImageFile

_WHITE_IS_ZERO = 0
_BITS, _PHOTOMETRIC = 258, 262
_DEEP = 16

_SAMPLES = {"1": (1, 1), "L;2": (3, 85), "L;4": (15, 17), "L": (255, 1)}
"""How the samples of a grey PNG are unpacked: their bits, and by how much they are multiplied."""


def eight_bits(image: Image.Image) -> Image.Image:
    """Grey of up to 16 bits in L, scaled by its full range; in LA when the file names a transparent shade."""
    tags = getattr(image, "tag_v2", {})
    full = 2 ** tags.get(_BITS, (_DEEP,))[0] - 1
    table = [(min(shade, full) * 255 + full // 2) // full for shade in range(2**_DEEP)]
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        table = [255 - level for level in table]
    deep = image.convert("I")
    reduced = deep.point(table, "L")
    key = image.info.get("transparency")
    if isinstance(key, int):
        reduced.putalpha(deep.point([0 if shade == key else 255 for shade in range(2**_DEEP)], "L"))
    return reduced


def unpacked(image: ImageFile, data: bytes) -> Image.Image:
    """Decode an opened file, with its transparent colour in the range of its pixels. Raises what decoders raise.

    Of a PNG of 16 bits a colour, whose lower halves Pillow drops, the transparent pixels are found by another decoder.
    """
    raw = image.tile[0].args if image.format == "PNG" and image.tile else None
    key = image.info.get("transparency")
    if raw in _SAMPLES and isinstance(key, int):
        bits, scale = _SAMPLES[raw]
        image.info["transparency"] = (key & bits) * scale
    image.load()
    if raw != "RGB;16B" or not isinstance(key, tuple):
        return image
    import cv2  # here: it takes longer to load than most pictures to decode
    import numpy as np

    whole = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if whole is None or whole.shape != (image.height, image.width, 4):
        raise ValueError("its transparent pixels cannot be read")
    del image.info["transparency"]
    image.putalpha(Image.fromarray(np.where(whole[..., 3] == 0, 0, 255).astype(np.uint8)))
    return image
