"""Picture files of digits of other origin than MNIST, to measure the service from end to end."""

from collections.abc import Iterator
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.digits.pictures.data import Digits
from training.digits.pictures.distort import distorted

Scene = tuple[bytes, int]
"""A picture file and its digit."""

Plane = NDArray[np.float32]


def files(digits: Digits) -> Iterator[Scene]:
    """Yield MNIST's pictures unchanged."""
    for picture, label in zip(digits.pictures, digits.labels, strict=True):
        yield _png(picture), int(label)


def photos(digits: Digits, random: np.random.Generator) -> Iterator[Scene]:
    """Yield each digit as a JPEG of dark ink on paper: uneven light, slightly rotated, off centre, blurred, noisy."""
    for picture, label in zip(digits.pictures, digits.labels, strict=True):
        yield _jpeg(photo(picture, random)), int(label)


def photo(ink: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Compose one photo of a digit (white on black, any size) as grey pixels, 200 to 600 per side."""
    height, width = (int(size) for size in random.integers(200, 600, 2))
    side = int(min(height, width) * random.uniform(0.35, 0.9))
    large = cv2.resize(ink, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    large = np.clip((large / 255 - 0.35) * 3, 0, 1).astype(np.float32)  # edges as sharp as a pen's
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(random.uniform(-10, 10)), 1)
    turn[:, 2] += random.integers(0, width - side + 1), random.integers(0, height - side + 1)
    drawn = cv2.warpAffine(large, turn, (width, height)).astype(np.float32)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    light = 1 + float(random.uniform(-0.35, 0.35)) * (x - 0.5) + float(random.uniform(-0.35, 0.35)) * (y - 0.5)
    if random.random() < 0.3:  # the shadow of a hand or a phone over a part of the sheet
        edge = float(random.uniform(0.2, 0.8)) + float(random.uniform(-0.5, 0.5)) * (y - 0.5)
        light = light * (1 - float(random.uniform(0.1, 0.4)) / (1 + np.exp(-(x - edge) * 25)))
    paper, dark = random.uniform(170, 235), random.uniform(20, 90)
    seen = (paper + (dark - paper) * drawn) * light
    seen = cv2.GaussianBlur(seen, (0, 0), float(random.uniform(0.5, 1.5)))
    seen = seen + random.normal(0, random.uniform(1, 6), seen.shape)
    return np.asarray(np.clip(seen, 0, 255), np.uint8)


def pairs(digits: Digits, random: np.random.Generator) -> Iterator[Scene]:
    """Yield photos of two digits side by side, which must be refused."""
    for left, other in zip(digits.pictures[::2], digits.pictures[1::2], strict=True):
        both = np.pad(np.hstack([left, other]), ((14, 14), (0, 0)))
        yield _jpeg(photo(both, random)), -1


def letters(count: int, random: np.random.Generator) -> Iterator[Scene]:
    """Yield printed digits of Pillow's font (Aileron), distorted, dark on white."""
    font = ImageFont.load_default(72)
    for label in random.integers(0, 10, count):
        canvas = Image.new("L", (112, 112), 0)
        ImageDraw.Draw(canvas).text((56, 56), str(label), fill=255, font=font, anchor="mm")
        small = cv2.resize(np.asarray(canvas, np.uint8), (56, 56), interpolation=cv2.INTER_AREA).astype(np.uint8)
        bent = distorted(small[None], random)[0]
        yield _png(np.asarray(255 - bent * 255, np.uint8)), int(label)


def scanned(pictures: NDArray[np.float64], labels: NDArray[np.int64]) -> Iterator[Scene]:
    """Yield scikit-learn's digits: 8 x 8 pixels of 0 to 16, high for ink, with an added margin of 4 pixels."""
    for picture, label in zip(pictures, labels, strict=True):
        grey = np.clip(picture * (255 / 16), 0, 255).astype(np.uint8)
        yield _png(np.pad(grey, 4)), int(label)


def _png(grey: NDArray[np.uint8]) -> bytes:
    out = BytesIO()
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()


def _jpeg(grey: NDArray[np.uint8]) -> bytes:
    out = BytesIO()
    Image.fromarray(grey).save(out, "JPEG", quality=80)
    return out.getvalue()
