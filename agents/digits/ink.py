"""The one digit of a picture: where its ink is, what is only dirt, and whether it is one at all."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.digits.centre import Grey, centred
from agents.digits.paper import Inked, inked
from agents.imaging.area import Area
from agents.imaging.colour import flat
from agents.imaging.picture import Picture
from streams.service.errors import InvalidInput

LONGEST = 320
"""Pixels of the longer side at which ink is looked for; more adds nothing."""

_NARROWEST = 5
"""Pixels of the shorter side in which a digit can be recognised, when the longer one is brought to LONGEST."""

_LARGER = "send a larger one, or one that is not as narrow"

_FAINTEST = 24
"""Levels of 255 that ink differs from its paper at least."""

_SPECK = 0.04
"""Of the largest blob's area: what is smaller is dirt."""

_TALL = 0.5
"""Of the tallest blob's height: two blobs that are as tall and stand apart are two digits."""

_FAR = 0.3
"""Of the taller blob's height: a gap that no broken line has."""

_THINNEST = 1.7
"""Pixels of a line in the network's picture; MNIST's pens make lines of 2 to 4."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """A digit as the network's input."""

    pixels: Grey
    """SIDE x SIDE, ink 255."""
    area: Area
    """Of the ink, in the upright picture."""
    light_on_dark: bool


@dataclass(frozen=True)
class _Blob:
    number: int
    left: int
    top: int
    width: int
    height: int
    pixels: int

    def apart(self, other: "_Blob") -> bool:
        """Return whether they are two digits: beside each other, one above the other, or far from each other.

        The parts of one digit whose line is broken do not count.
        """
        left, top = min(self.left, other.left), min(self.top, other.top)
        width = max(self.left + self.width, other.left + other.width) - left
        height = max(self.top + self.height, other.top + other.height) - top
        across = self.width + other.width - width  # shared columns; less than none is a gap
        along = self.height + other.height - height
        low, narrow = min(self.height, other.height), min(self.width, other.width)
        beside = across <= 0.1 * narrow and along >= 0.6 * low
        above = along <= 0.1 * low and height >= 2 * width
        return beside or above or min(across, along) <= -_FAR * max(self.height, other.height)


def find(picture: Picture) -> Found:
    """Find the digit of a picture. Raises InvalidInput when there is no ink, or the ink of several digits."""
    width, height = picture.size
    scale = min(1.0, LONGEST / max(width, height))
    if min(width, height) * scale < _NARROWEST:
        raise InvalidInput(f"the picture has {width} x {height} pixels, too few for a digit", _LARGER, "image")
    image = picture.grey((max(1, round(width * scale)), max(1, round(height * scale))))
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    ink = inked(_opaque(image))
    mask, level = _mask(ink)
    blobs = _blobs(mask)
    whole = _one(blobs, mask)
    left, top, right, bottom = _bounds(whole)
    strength = ink.strength * cv2.dilate(whole.astype(np.uint8), np.ones((3, 3), np.uint8))
    low = min(3 * ink.noise, 0.5 * level)
    cut = np.clip((strength - low) / (level - low), 0, 1)[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1]
    pixels = centred(_thick((cut * 255).astype(np.uint8), whole[top:bottom, left:right]))
    assert pixels is not None, "a mask with pixels has ink"
    across, down = width / image.width, height / image.height
    area = Area(
        x=int(left * across),
        y=int(top * down),
        width=max(1, round((right - left) * across)),
        height=max(1, round((bottom - top) * down)),
    ).touching(picture.size, "image")
    return Found(pixels, area, ink.light_on_dark)


def _opaque(image: Image.Image) -> Grey:
    """Without alpha, on a ground that the ink stands out from."""
    if image.mode == "LA":
        values, alpha = (np.asarray(image.getchannel(band), np.float32) for band in "LA")
        if (values * alpha).sum() > 127 * alpha.sum():
            return np.asarray(values * alpha / 255, np.uint8)
    return np.asarray(flat(image), np.uint8)


def _mask(ink: Inked) -> tuple[Mask, float]:
    """Separate ink from paper; return its mask and the strength of full ink, 0 to 255. Raises InvalidInput for blank paper."""
    levels = np.clip(ink.strength, 0, 255).astype(np.uint8)
    threshold = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    mask = levels > threshold
    full = float(np.percentile(levels[mask], 60)) if mask.any() else 0.0
    if full < max(_FAINTEST, 5 * ink.noise):
        raise InvalidInput(
            "no digit is visible: the picture is blank, or its ink too faint",
            "send a picture of one digit that stands out from its paper",
            "image",
        )
    return mask, full


def _blobs(mask: Mask) -> list[_Blob]:
    """List the connected pieces of ink, the largest first, without specks and without pieces cut off by the picture's edge."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    blobs = [_Blob(number, *(int(value) for value in row)) for number, row in enumerate(stats) if number]  # 0 is paper
    by_size = sorted(blobs, key=lambda candidate: -candidate.pixels)
    height, width = mask.shape

    def cut_off(blob: _Blob) -> bool:
        edges = blob.left == 0, blob.top == 0, blob.left + blob.width == width, blob.top + blob.height == height
        return any(edges)

    inner = [candidate for candidate in by_size if not cut_off(candidate)]
    if inner and min(mask.shape) >= 64 and inner[0].height >= 0.15 * height:
        by_size = inner
    return [candidate for candidate in by_size if candidate.pixels >= _SPECK * by_size[0].pixels]


def _one(blobs: list[_Blob], mask: Mask) -> Mask:
    """Return the ink of these blobs. Raises InvalidInput when they are several digits."""
    tallest = max(max(candidate.height, candidate.width) for candidate in blobs)
    tall = [
        candidate
        for candidate in blobs
        if candidate.height >= _TALL * tallest and candidate.pixels >= 0.2 * blobs[0].pixels
    ]
    groups: list[_Blob] = []
    for blob in tall:
        if all(blob.apart(other) for other in groups):
            groups.append(blob)
    if len(groups) > 1:
        raise InvalidInput(
            f"there seem to be {len(groups)} digits beside or above each other, and one is wanted",
            "cut them out with image-crop and send them one by one",
            "image",
        )
    labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]
    return np.isin(labels, [candidate.number for candidate in blobs])


def _bounds(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _thick(ink: Grey, mask: Mask) -> Grey:
    """Thicken lines that would vanish when the digit is scaled down."""
    distance = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)
    line = 4 * float(distance[distance > 0].mean()) - 1
    scale = 20 / max(mask.shape)
    more = round(_THINNEST / scale - line)
    if more < 1:
        return ink
    room = np.pad(ink, more)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (more + 1, more + 1))
    return cv2.dilate(room, kernel).astype(np.uint8)
