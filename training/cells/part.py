"""The part for the model of cell-classify. Training libraries are imported only when it trains or judges."""

from pathlib import Path

from agents.cells.bundle import FOLDER, NAME
from training.cells.options import OPTIONS, copies
from training.part import REPOSITORY, Part
from training.recipe import deferred

CELLS = Part(
    name="cells",
    slot="cell-classify",
    shipped=FOLDER.relative_to(REPOSITORY),
    page=Path(f"docs/models/{NAME}.md"),
    dataset="blood-cells/bccd",
    epochs=1,
    train=deferred("training.cells.run:train"),
    judge=deferred("training.cells.judge:judge"),
    options=OPTIONS,
    check=copies,
)
