"""The slot of the network that reads digits. Importing it loads no model."""

from pathlib import Path
from typing import TYPE_CHECKING

from agents.digits.bundle import FOLDER
from streams.service.model_slot import Slot

if TYPE_CHECKING:
    from agents.digits.reader import Reader


def _load(folder: Path) -> "Reader":
    from agents.digits.reader import Reader  # OpenCV is for pool children, not for the worker itself

    return Reader(folder)


DIGITS = Slot(FOLDER, _load)
