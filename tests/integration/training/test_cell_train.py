"""cell-train with everything behind it: Kafka, scikit-learn, MLflow, S3. Trained, registered beside the shipped one, and judged."""

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
from training.registry.objects import Objects

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(850)]


def test_a_cell_model_is_ordered(trainer: Trainer, tmp_path: Path) -> None:
    """The run tells how far it is, and ends with a model that is registered, its verdict, its figures and its confusion matrix.

    With one copy of each cell it is another model, which serves unless it is worse than the shipped one by more than chance explains.
    """
    if not (trainer.settings.data / "blood-cells").exists():
        pytest.skip(
            "needs the public data: set MILLRACE_DATA to a directory that has blood-cells (see the data catalogue)"
        )

    async def main() -> None:
        async with school(trainer, tmp_path) as harness:
            await harness.start("flow", "cell-train")
            wrong = await harness.submit("cell-train", {"copies": 1, "dataset": "blood-cells/bccd@0123456789ab"})
            run = await harness.submit("cell-train", {"copies": 1, "dataset": ""})
            failed = await harness.ended(wrong, 350)  # when it comes second, it waits its turn
            assert failed.event.kind is EventKind.RUN_FAILED
            assert "no dataset version" in str(failed.event.data)
            end = await harness.ended(run, 350)
            assert end.event.kind is EventKind.RUN_FINISHED, end.event.data
            output = end.event.data["output"]
            assert any("originals to learn from" in str(one) for one in progress(harness, run))
            assert output["dataset"] == read(FOLDER).dataset
            assert output["version"] != read(FOLDER).version
            assert (output["model"], output["registered"]) == (read(FOLDER).name, 2)
            assert output["balanced_accuracy"] > 0.8
            assert set(output["recall"]) == set(CellType)
            champion = trainer.champion("cell-classify")
            assert champion["millrace.version"] == (output["version"] if output["promoted"] else read(FOLDER).version)
            assert champion["millrace.dataset"] == read(FOLDER).dataset
            assert "test examples" in output["verdict"]
            picture = await harness.connections.store.get(Ref.from_dict(output["confusion"]))
            assert picture.startswith(b"\x89PNG")

    asyncio.run(main())
    ((artifacts,),) = trainer.rows("select artifact_uri from runs where status = 'FINISHED'")
    prefix = artifacts.removeprefix(f"s3://{trainer.settings.s3_bucket}/")
    names = {name.rpartition("/")[2] for name in Objects(trainer.settings).names(prefix)}
    assert {"confusion.png", "recall.png"} <= names
