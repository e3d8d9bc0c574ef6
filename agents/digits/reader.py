"""Reading a centred digit: a network in one forward pass of OpenCV."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.digits.bundle import FILE, FOLDER
from agents.digits.centre import Grey
from streams.models import BadBundle, check


@dataclass(frozen=True)
class Reading:
    """The network's answer for a digit."""

    digit: int
    probabilities: tuple[float, ...]
    """Of 0 to 9; digits that the model does not know have 0."""


class Reader:
    """One loaded model."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Load a bundle. Raises BadBundle if it does not match its card, or is not of a digit network."""
        self.bundle = check(folder)
        self.digits = tuple(self.bundle.card.get("digits") or ())
        """The digits of the network's outputs, in order."""
        if not set(self.digits) <= set(range(10)) or len(set(self.digits)) < max(2, len(self.digits)):
            raise BadBundle(f"{folder}: its card has no digits that a network could distinguish: {self.digits}")
        cv2.setNumThreads(1)  # the worker decides how much runs at once
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer((folder / FILE).read_bytes(), np.uint8))
            outputs = self._forward(np.zeros((1, 28, 28, 1), np.float32)).size
        except (OSError, cv2.error) as error:
            raise BadBundle(f"{folder}: {FILE} is not a readable network: {error}") from error
        if outputs != len(self.digits):
            raise BadBundle(f"{folder}: its network has {outputs} outputs, and its card {len(self.digits)} digits")

    def read(self, pixels: Grey) -> Reading:
        """Read SIDE x SIDE pixels with ink 255."""
        outputs = self._forward((pixels[None, :, :, None] / 255).astype(np.float32))
        probabilities = np.zeros(10)
        probabilities[list(self.digits)] = outputs
        return Reading(
            int(probabilities.argmax()), tuple(round(float(probability), 6) for probability in probabilities)
        )

    def _forward(self, ink: NDArray[np.float32]) -> NDArray[np.float64]:
        self._net.setInput(ink)
        outputs: NDArray[np.float64] = np.asarray(self._net.forward(), np.float64)[0]
        return outputs
