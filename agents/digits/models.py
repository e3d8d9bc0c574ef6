"""The network that reads digits: the slot that it is in, and the bundle that is shipped. Loads none by itself."""

from pathlib import Path
from typing import TYPE_CHECKING

from streams.service.model_slot import Slot

if TYPE_CHECKING:
    from agents.digits.reader import Reader

FOLDER = Path(__file__).parent / "model"
FILE = "model.onnx"

SHIPPED = "mnist_model_0123456789"
"""Models are named after the digits that they were trained on. Their cards say `digits`: what the outputs stand for, in order."""


def _load(folder: Path) -> "Reader":
    from agents.digits.reader import Reader  # OpenCV is for pool children, not for the worker itself

    return Reader(folder)


DIGITS = Slot(FOLDER, _load)
