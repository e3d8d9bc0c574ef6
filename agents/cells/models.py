"""The model that tells white cells apart: the slot that it is in, and the bundle that is shipped. Loads none by itself."""

from pathlib import Path
from typing import TYPE_CHECKING

from streams.service.model_slot import Slot

if TYPE_CHECKING:
    from agents.cells.classifier import Classifier

FOLDER = Path(__file__).parent / "model"
FILE = "model.json"

SHIPPED = "cell_traits"


def _load(folder: Path) -> "Classifier":
    from agents.cells.classifier import Classifier  # NumPy is for pool children, not for the worker itself

    return Classifier(folder)


CELLS = Slot(FOLDER, _load)
