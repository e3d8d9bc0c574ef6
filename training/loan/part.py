"""The part for the model of loan-appetence. Training libraries are imported only when it trains or judges."""

from pathlib import Path

from agents.loan.model import NAME
from training.loan.options import DATASET, EPOCHS, OPTIONS, trees
from training.part import Part
from training.recipe import deferred

LOAN = Part(
    name="loan",
    slot="loan-appetence",
    shipped=Path("agents/loan/model"),
    page=Path(f"docs/models/{NAME}.md"),
    dataset=DATASET,
    epochs=EPOCHS,
    train=deferred("training.loan.run:train"),
    judge=deferred("training.loan.judge:judge"),
    options=OPTIONS,
    check=trees,
)
