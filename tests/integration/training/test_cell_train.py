"""cell-train with everything behind it: Kafka, scikit-learn, MLflow, S3."""

import asyncio
from pathlib import Path

import pytest

from agents.cells.bundle import FOLDER
from agents.cells.types import CellType
from schemas.refs import Ref
from streams.messages import EventKind
from streams.models import read
from tests.integration.support.trainer import Trainer, trainer
from tests.integration.training.test_digit_train import progress, school

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(500)]


def test_a_cell_model_is_ordered(trainer: Trainer, tmp_path: Path) -> None:
    """The run tells how far it is, and ends with a model that is registered, its verdict, its figures and its confusion matrix."""
    if not (trainer.settings.data / "blood-cells").exists():
        pytest.skip(
            "needs the public data: set MILLRACE_DATA to a directory that has blood-cells (see the data catalogue)"
        )

    async def main() -> None:
        async with school(trainer, tmp_path) as rig:
            await rig.start("flow", "cell-train")
            wrong = await rig.submit("cell-train", {"copies": 1, "dataset": "blood-cells/bccd@0123456789ab"})
            run = await rig.submit("cell-train", {"copies": 1, "dataset": ""})
            failed = await rig.ended(wrong, 120)
            assert failed.event.kind is EventKind.RUN_FAILED
            assert "no dataset version" in str(failed.event.data)
            end = await rig.ended(run, 350)
            assert end.event.kind is EventKind.RUN_FINISHED, end.event.data
            output = end.event.data["output"]
            assert any("originals to learn from" in str(one) for one in progress(rig, run))
            assert output["dataset"] == read(FOLDER).dataset
            assert output["version"] != read(FOLDER).version
            assert output["balanced_accuracy"] > 0.8
            assert set(output["recall"]) == set(CellType)
            served = trainer.champion("cell-classify")["millrace.version"]
            assert served == (output["version"] if output["promoted"] else read(FOLDER).version)
            picture = await rig.parts.store.get(Ref.from_dict(output["confusion"]))
            assert picture.startswith(b"\x89PNG")

    asyncio.run(main())
