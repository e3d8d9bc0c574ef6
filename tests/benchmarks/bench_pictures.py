"""What the faster ways to scale pictures and to write WebP cost in quality and save in time.

    python -m tests.benchmarks.bench_pictures

For each picture and scale: by how much a Hamming filter differs from Lanczos's (PSNR, dB), how far each is from the original when
it is scaled back, and how many times faster it is. For WebP: size, PSNR and time of libwebp's method 2 against its default, 4.
"""

import time
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TypeVar

import numpy as np
from PIL import Image
from skimage import data

from agents.imaging.encode import QUALITY, WEBP_METHOD
from tests.benchmarks.figures import show

SCALES = (0.9, 0.75, 2 / 3, 0.5, 0.25, 1.5, 2.0)
QUALITIES = (80, QUALITY)
PHOTOS = (
    "astronaut",
    "coffee",
    "chelsea",
    "rocket",
    "camera",
    "page",
    "text",
    "coins",
    "brick",
    "immunohistochemistry",
)
_DEFAULT_METHOD = 4
_TIMES = 5
T = TypeVar("T")


def pictures() -> Mapping[str, Image.Image]:
    """Photos and scans by name, and drawings with nothing but edges."""
    y, x = np.mgrid[0:1024, 0:1536]
    drawn = {
        "rings": 128 + 127 * np.sin((x**2 + y**2) / 9000.0),
        "checks": (x // 7 + y // 11) % 2 * 255,
        "diagonals": ((x + 2 * y) % 64 < 32) * 255,
    }
    photos = {name: Image.fromarray(getattr(data, name)()).convert("RGB") for name in PHOTOS}
    return photos | {name: Image.fromarray(made.astype("uint8")).convert("RGB") for name, made in drawn.items()}


def psnr(one: Image.Image, other: Image.Image) -> float:
    """The peak signal-to-noise ratio of two pictures of one size, in dB; 99 for equal ones."""
    error = float(np.mean((np.asarray(one, float) - np.asarray(other, float)) ** 2))
    return 10 * float(np.log10(255**2 / error)) if error else 99.0


def scaled(name: str, picture: Image.Image, scale: float) -> None:
    """Prints how the two filters compare."""
    size = round(picture.width * scale), round(picture.height * scale)

    def by(filter: Image.Resampling) -> Image.Image:
        return picture.resize(size, filter, reducing_gap=3.0)

    def back(made: Image.Image) -> float:
        return psnr(made.resize(picture.size, Image.Resampling.BICUBIC), picture)

    slow, lanczos = timed(lambda: by(Image.Resampling.LANCZOS))
    fast, hamming = timed(lambda: by(Image.Resampling.HAMMING))
    show(
        "resize",
        picture=name,
        scale=scale,
        between_db=psnr(hamming, lanczos),
        original_lanczos_db=back(lanczos),
        original_hamming_db=back(hamming),
        times_faster=slow / fast,
    )


def written(name: str, picture: Image.Image, quality: int) -> None:
    """Prints how the two methods compare."""

    def by(method: int) -> bytes:
        out = BytesIO()
        picture.save(out, "WEBP", quality=quality, method=method)
        return out.getvalue()

    slow, usual = timed(lambda: by(_DEFAULT_METHOD))
    fast, quick = timed(lambda: by(WEBP_METHOD))
    show(
        "webp",
        picture=name,
        quality=quality,
        larger=len(quick) / len(usual) - 1,
        psnr_default_db=psnr(Image.open(BytesIO(usual)).convert("RGB"), picture),
        psnr_db=psnr(Image.open(BytesIO(quick)).convert("RGB"), picture),
        times_faster=slow / fast,
    )


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of processor time that something takes at its best, and what it gives."""
    took = []
    for _ in range(_TIMES):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took), work()


def main() -> None:
    """Compares on every picture."""
    for name, picture in pictures().items():
        for scale in SCALES:
            scaled(name, picture, scale)
        for quality in QUALITIES:
            written(name, picture, quality)


if __name__ == "__main__":
    main()
