"""What people corrected, as pictures to learn from: found and centred as the service does it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.digits.centre import SIDE
from agents.digits.ink import find
from agents.imaging.picture import Picture
from streams.service.errors import InvalidInput
from training.digits.pictures.data import Digits

REPEAT = 10
"""How often each is shown in an epoch, bent anew each time: once among 55,000 would change nothing."""


@dataclass(frozen=True)
class Corrected:
    """Corrections, ready to be learned from."""

    digits: Digits
    """Each REPEAT times."""
    used: int
    left: int
    """In which no digit is found now, or whose digit the model is not to learn."""


def examples(corrections: Sequence[tuple[Any, bytes]], digits: Sequence[int]) -> Corrected:
    """The corrections that show one of these digits."""
    pictures, labels = [], []
    for label, data in corrections:
        if label not in digits:
            continue
        try:
            pictures.append(find(Picture.decode(data)).pixels)
        except InvalidInput:
            continue
        labels.append(label)
    learned = Digits(
        np.array(pictures, np.uint8).reshape(-1, SIDE, SIDE).repeat(REPEAT, axis=0),
        np.array(labels, np.int64).repeat(REPEAT),
    )
    return Corrected(learned, len(labels), len(corrections) - len(labels))
