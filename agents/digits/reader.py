"""Reading a centred digit: the network, loaded once a process, in one forward pass of OpenCV."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from agents.digits import models
from agents.digits.centre import Grey


@dataclass(frozen=True)
class Reading:
    """What the network makes of a digit."""

    digit: int
    probabilities: tuple[float, ...]
    """Of 0 to 9; a digit that the model does not know has 0."""


class Reader:
    """One loaded model."""

    def __init__(self, folder: Path = models.FOLDER, name: str = models.SHIPPED) -> None:
        """Raises RuntimeError when the network is not the one that its card speaks of."""
        self.card = models.card(folder, name)
        file = models.network_file(folder, name)
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.card.sha256:
            raise RuntimeError(f"{file.name} is not the network of its card {self.card.version}")
        cv2.setNumThreads(1)  # the worker decides how much runs at once
        self._net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))

    def read(self, pixels: Grey) -> Reading:
        """The digit of SIDE x SIDE pixels with ink 255."""
        self._net.setInput((pixels[None, :, :, None] / 255).astype(np.float32))
        found = np.asarray(self._net.forward(), np.float64)[0]
        probabilities = np.zeros(10)
        probabilities[list(self.card.digits)] = found
        return Reading(int(probabilities.argmax()), tuple(round(float(one), 6) for one in probabilities))


@cache
def reader() -> Reader:
    """The one that serves."""
    return Reader()
