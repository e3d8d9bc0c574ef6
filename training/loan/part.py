"""The part: the model of loan-appetence. What is heavy is imported when it is called."""

from pathlib import Path

from agents.loan.model import NAME
from training.evaluation.gate import Verdict
from training.loan.options import DATASET, EPOCHS, OPTIONS, trees
from training.part import Made, Order, Part
from training.report import Report


def _train(order: Order, report: Report) -> Made:
    from training.loan.run import train

    return train(order, report)


def _judge(candidate: Path, champion: Path, data: Path) -> Verdict:
    from training.loan.judge import judge

    return judge(candidate, champion, data)


LOAN = Part(
    name="loan",
    slot="loan-appetence",
    shipped=Path("agents/loan/model"),
    page=Path(f"docs/models/{NAME}.md"),
    dataset=DATASET,
    epochs=EPOCHS,
    train=_train,
    judge=_judge,
    options=OPTIONS,
    check=trees,
)
