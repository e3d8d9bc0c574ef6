"""The part for the model of digit-recognition. Training libraries are imported only when it trains or judges."""

from pathlib import Path

from agents.digits.bundle import FOLDER, NAME
from training.digits.options import OPTIONS, choice
from training.part import REPOSITORY, Part
from training.recipe import deferred

DIGITS = Part(
    name="digits",
    slot="digit-recognition",
    shipped=FOLDER.relative_to(REPOSITORY),
    page=Path(f"docs/models/{NAME}.md"),
    dataset="mnist",
    epochs=16,
    train=deferred("training.digits.run:train"),
    judge=deferred("training.digits.judge:judge"),
    options=OPTIONS,
    check=choice,
)
