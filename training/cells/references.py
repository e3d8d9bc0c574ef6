"""Drawn cells with the trained model's probabilities, for tests without scikit-learn."""

from io import BytesIO

import numpy as np
from PIL import Image

from agents.cells.crop import cut_out
from agents.cells.traits import traits
from agents.imaging.picture import Picture
from training.cells.fit import Learned
from training.cells.pictures.data import Smear
from training.cells.pictures.drawn import smear
from training.cells.pictures.samples import TYPES, cut
from training.evaluation.probabilities import softmax

_EACH = 3


def references(learned: Learned, names: tuple[str, ...], temperature: float, seed: int) -> bytes:
    """Return an npz: `pictures`, files one after the other, `ends` of each, and `probabilities`."""
    random = np.random.default_rng((seed, 1))
    fields = [_jpeg(smear((kind,), random, (320, 240), 44)) for kind in TYPES for _ in range(_EACH)]
    cells = cut([Smear("drawn", data, TYPES[0], "drawn") for data in fields])
    files = [_jpeg(cell) for cell in cells]
    measured = [traits(cut_out(Picture.decode(data))) for data in files]
    rows = np.array([[values[name] for name in names] for values in measured])
    out = BytesIO()
    np.savez_compressed(
        out,
        pictures=np.frombuffer(b"".join(files), np.uint8),
        ends=np.cumsum([len(file) for file in files]),
        probabilities=softmax(learned.scores(rows) / temperature),
    )
    return out.getvalue()


def _jpeg(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=85)
    return out.getvalue()
