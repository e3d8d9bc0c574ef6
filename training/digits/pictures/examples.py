"""People's corrections as training pictures, found and centred as the service does it."""

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
"""Times that each is shown in an epoch, distorted differently: one among 55,000 would change nothing."""


@dataclass(frozen=True)
class Corrected:
    """Corrections to learn from."""

    digits: Digits
    """The pictures, each REPEAT times."""
    used: int
    left: int
    """Corrections without a digit that can be found, or of a digit that the model does not learn."""


def examples(corrections: Sequence[tuple[Any, bytes]], digits: Sequence[int]) -> Corrected:
    """Select the corrections that show one of these digits."""
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
