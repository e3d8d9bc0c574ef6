"""Measure the shipped model on digits of other origin, as picture files through the whole service."""

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from agents.digits.reader import Reader
from training.digits import measure
from training.digits.pictures import scenes
from training.digits.pictures.data import Digits

_PHOTOS, _LETTERS = 1000, 500


def elsewhere(reader: Reader, test: Digits, random: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the accuracy by origin, and the share of photos with two digits that are refused."""
    other = load_digits()
    some = test.at(random.permutation(len(test))[:_PHOTOS])
    through = {
        "mnist-test-files": scenes.files(test),
        "photos": scenes.photos(some, random),
        "letters": scenes.letters(_LETTERS, random),
        "scanned": scenes.scanned(other.images, other.target),
    }
    shares = {name: measure.through_service(reader, pictures).to_json() for name, pictures in through.items()}
    two = measure.through_service(reader, scenes.pairs(some, random))
    return shares, measure.Share(two.refused, two.of).to_json()
