"""MNIST from the data catalogue, and the honest split: what is learned from, what is chosen by, what is reported."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.data import fetch
from streams.data_catalogue import entry

Pictures = NDArray[np.uint8]
"""Count x 28 x 28, white ink on black."""

Labels = NDArray[np.int64]

VALIDATION = 500
"""Pictures of each digit that are taken out of MNIST's training set to choose by."""

FILES = (
    "mnist/t10k-images-idx3-ubyte.gz",
    "mnist/t10k-labels-idx1-ubyte.gz",
    "mnist/train-images-idx3-ubyte.gz",
    "mnist/train-labels-idx1-ubyte.gz",
)
"""Names in the data catalogue."""


@dataclass(frozen=True)
class Digits:
    """Pictures with their labels."""

    pictures: Pictures
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, places: NDArray[np.int64]) -> "Digits":
        """Those at these places."""
        return Digits(self.pictures[places], self.labels[places])


@dataclass(frozen=True)
class Split:
    """Three sets that share no picture."""

    train: Digits
    validation: Digits
    test: Digits


def split(folder: Path, seed: int) -> Split:
    """MNIST of a data directory; fetched when it is not there. Raises DataError."""
    paths = {name: fetch(entry(name), folder).path for name in FILES}
    test, whole = (
        Digits(_pictures(paths[images]), _labels(paths[labels])) for images, labels in (FILES[:2], FILES[2:])
    )
    order = np.random.default_rng(seed).permutation(len(whole))
    kept = np.concatenate([order[whole.labels[order] == digit][:VALIDATION] for digit in range(10)])
    rest = np.setdiff1d(order, kept)
    return Split(whole.at(rest), whole.at(np.sort(kept)), test)


def _pictures(path: Path) -> Pictures:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)


def _labels(path: Path) -> Labels:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
