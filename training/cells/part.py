"""The part: the model of cell-classify. What is heavy is imported when it is called."""

from pathlib import Path

from agents.cells.bundle import FOLDER, NAME
from training.cells.options import OPTIONS, copies
from training.evaluation.gate import Verdict
from training.part import REPOSITORY, Made, Order, Part
from training.report import Report


def _train(order: Order, report: Report) -> Made:
    copies(order.options)  # what cannot be trained is said before anything takes its time
    from training.cells.run import train

    return train(order, report)


def _judge(candidate: Path, champion: Path, data: Path) -> Verdict:
    from training.cells.judge import judge

    return judge(candidate, champion, data)


CELLS = Part(
    name="cells",
    slot="cell-classify",
    shipped=FOLDER.relative_to(REPOSITORY),
    page=Path(f"docs/models/{NAME}.md"),
    dataset="blood-cells/bccd",
    epochs=1,
    train=_train,
    judge=_judge,
    options=OPTIONS,
)
