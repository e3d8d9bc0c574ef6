"""The slot of the model that classifies white cells. Importing it loads no model."""

from pathlib import Path
from typing import TYPE_CHECKING

from agents.cells.bundle import FOLDER
from streams.service.model_slot import Slot

if TYPE_CHECKING:
    from agents.cells.classifier import Classifier


def _load(folder: Path) -> "Classifier":
    from agents.cells.classifier import Classifier  # NumPy is for pool children, not for the worker itself

    return Classifier(folder)


CELLS = Slot(FOLDER, _load)
