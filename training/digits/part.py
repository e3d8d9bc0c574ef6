"""The part: the model of digit-recognition. What is heavy is imported when it is called."""

from pathlib import Path

from agents.digits.bundle import FOLDER, NAME
from training.digits.options import OPTIONS, choice
from training.evaluation.gate import Verdict
from training.part import REPOSITORY, Made, Order, Part
from training.report import Report


def _train(order: Order, report: Report) -> Made:
    from training.digits.run import train

    return train(order, report)


def _judge(candidate: Path, champion: Path, data: Path) -> Verdict:
    from training.digits.judge import judge

    return judge(candidate, champion, data)


DIGITS = Part(
    name="digits",
    slot="digit-recognition",
    shipped=FOLDER.relative_to(REPOSITORY),
    page=Path(f"docs/models/{NAME}.md"),
    dataset="mnist",
    epochs=16,
    train=_train,
    judge=_judge,
    options=OPTIONS,
    check=choice,
)
