"""MNIST from the data catalogue, split into training, validation and test set."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.datasets.catalogue import entry
from streams.datasets.download import fetch

Pictures = NDArray[np.uint8]
"""Count x 28 x 28, white ink on black."""

Labels = NDArray[np.int64]

VALIDATION = 500
"""Pictures of each digit in the validation set, taken from MNIST's training set."""

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
        """Select the pictures at these places."""
        return Digits(self.pictures[places], self.labels[places])

    def and_also(self, others: "Digits") -> "Digits":
        """Append other pictures."""
        return Digits(np.concatenate([self.pictures, others.pictures]), np.concatenate([self.labels, others.labels]))


@dataclass(frozen=True)
class Split:
    """Three disjoint sets."""

    train: Digits
    validation: Digits
    test: Digits


def split(folder: Path, seed: int, digits: Sequence[int] = tuple(range(10)), most: int | None = None) -> Split:
    """Read MNIST from a data directory, downloading it if it is missing. Raises DataError.

    What is learned from and chosen by has these digits only, and at most `most` pictures of each to learn from; the test set has all ten.
    """
    test, whole = test_digits(folder), _digits(folder, *FILES[2:])
    order = np.random.default_rng(seed).permutation(len(whole))
    places = [order[whole.labels[order] == digit] for digit in sorted(digits)]
    kept = np.concatenate([place[:VALIDATION] for place in places])
    rest = np.concatenate([place[VALIDATION:][:most] for place in places])
    return Split(whole.at(np.sort(rest)), whole.at(np.sort(kept)), test)


def test_digits(folder: Path) -> Digits:
    """Read MNIST's 10,000 test pictures from a data directory, downloading them if missing. Raises DataError."""
    return _digits(folder, *FILES[:2])


def _digits(folder: Path, images: str, labels: str) -> Digits:
    files = (fetch(entry(name), folder).path for name in (images, labels))
    return Digits(_pictures(next(files)), _labels(next(files)))


def _pictures(path: Path) -> Pictures:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)


def _labels(path: Path) -> Labels:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
