"""The reference for drift of a digit model: its validation data (see `streams.datasets.drift`).

Of the validation pictures: they are MNIST's training pictures like the others, and the network has not learned from them, so that
its confidence in them is what it is in new ones.
"""

from typing import Any

from agents.digits.reader import Reader
from streams.datasets.drift import CONFIDENCES, described, listed
from training.digits.pictures.data import Digits


def reference(reader: Reader, validation: Digits) -> dict[str, Any]:
    """Return the part `reference` of a card, from the served network's answers to these pictures."""
    readings = [reader.read(picture) for picture in validation.pictures]
    return {
        "of": len(validation),
        "features": {
            "output.ink": described([round(float(picture.mean()) / 255, 4) for picture in validation.pictures]),
            "output.confidence": described([reading.probabilities[reading.digit] for reading in readings], CONFIDENCES),
            "output.digit": listed([reading.digit for reading in readings]),
        },
    }
