"""Photos for benchmarks."""

import io

import numpy as np
from PIL import Image


def photo(seed: int) -> bytes:
    """A 1-megapixel JPEG with detail of every size, as photos have; each seed gives another one."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (16, 21, 3), dtype=np.uint8)).resize(
        (1152, 868), Image.Resampling.BICUBIC
    )
    grain = rng.normal(0, 6, (868, 1152, 3))
    pixels = np.clip(np.asarray(coarse, dtype=np.float64) + grain, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=88)
    return out.getvalue()
