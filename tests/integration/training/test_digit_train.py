"""digit-train with everything behind it: Kafka, a worker that is killed, TensorFlow, MLflow, S3."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from schemas.refs import Ref
from streams.messages import Action, Control, EventKind
from streams.wire.codec import SentEvent
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.trainer import Trainer, trainer
from tests.integration.support.waiting import until

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(850)]

LONG = {"digits": [0, 1], "epochs": 50, "pictures": 3000}


@contextlib.asynccontextmanager
async def school(trainer: Trainer, folder: Path) -> AsyncIterator[RuntimeHarness]:
    """A runtime harness whose workers train with the module's registry of models."""
    own = dataclasses.replace(
        isolated(trainer.settings),
        mlflow=trainer.settings.mlflow,
        data=trainer.settings.data,
        train=trainer.settings.train,
    )
    async with RuntimeHarness(own, folder) as harness:
        yield harness


def progress(harness: RuntimeHarness, run: str) -> list[Mapping[str, Any]]:
    """What a run has said of how far it is."""
    return [one.event.data for one in harness.events_of(run, EventKind.PROGRESS)]


def epochs(harness: RuntimeHarness, run: str) -> list[int]:
    """The epochs that were told."""
    return [one["figures"]["epoch"] for one in progress(harness, run) if "epoch" in one.get("figures", {})]


def trainings(harness: RuntimeHarness) -> list[psutil.Process]:
    """The processes that train for the workers of a runtime harness."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if "training" in line and any(str(harness.settings.home) in one for one in line):
                found.append(process)
    return found


def test_a_training_outlives_its_worker(trainer: Trainer, tmp_path: Path) -> None:
    """A worker that is killed takes its training with it; another goes on where it was; the run ends with a model that serves."""

    async def main() -> SentEvent:
        async with school(trainer, tmp_path) as harness:
            await harness.start("flow")
            first = await harness.start("digit-train")
            run = await harness.submit("digit-train", {"digits": [1, 0], "epochs": 2, "pictures": 1500, "fewer": True})
            await until(lambda: epochs(harness, run) == [1], 240, "the first epoch")
            first.kill()
            await until(lambda: not trainings(harness), 20, "the end of its training")
            await harness.start("digit-train")
            end = await harness.ended(run, 300)
            assert epochs(harness, run) == [1, 2]
            for name in ("confusion", "course"):
                assert (await harness.connections.store.get(Ref.from_dict(end.event.data["output"][name]))).startswith(
                    b"\x89PNG"
                )
            return end

    end = asyncio.run(main())
    assert end.event.kind is EventKind.RUN_FINISHED, end.event.data
    output = end.event.data["output"]
    assert output["promoted"], output["verdict"]
    assert output["model"] == "mnist_model_01"
    assert output["accuracy"] > 0.99 > 0.3 > output["accuracy_all"]
    assert output["recall"]["0"] > 0.98
    assert output["recall"]["7"] == 0
    assert trainer.champion()["millrace.version"] == output["version"]


def test_a_second_training_waits_and_both_can_be_cancelled(trainer: Trainer, tmp_path: Path) -> None:
    """Who comes second says what it waits for; cancelling a run ends its training, and MLflow says that it was ended."""

    async def main() -> None:
        async with school(trainer, tmp_path) as harness:
            await harness.start("flow", "digit-train")
            one = await harness.submit("digit-train", LONG)
            await until(lambda: progress(harness, one), 240, "the begin of the first")
            other = await harness.submit("digit-train", {**LONG, "digits": [2, 3]})
            await until(lambda: progress(harness, other), 240, "the second to wait")
            assert progress(harness, other)[0]["text"].startswith(
                "waits its turn: digits (digits 0,1, pictures 3000) is trained"
            )
            await until(lambda: epochs(harness, one), 240, "an epoch of the first")
            for run in (other, one):
                await harness.connections.producer.send(
                    await harness.connections.wire.control(Control(run, Action.CANCEL))
                )
            for run in (other, one):
                assert (await harness.ended(run)).event.kind is EventKind.RUN_CANCELLED
            await until(lambda: not trainings(harness), 20, "the end of both trainings")

    asyncio.run(main())
    assert ("KILLED",) in trainer.rows("select status from runs order by start_time desc")


WRONG: dict[str, dict[str, Any]] = {
    "4 is one digit": {"digits": [4]},
    "names a digit twice": {"digits": [4, 4]},
    "no dataset version mnist@0123456789ab": {"digits": [0, 1], "dataset": "mnist@0123456789ab"},
}


def test_an_order_that_makes_no_sense_is_the_caller_s_fault(trainer: Trainer, tmp_path: Path) -> None:
    """It is refused with what is wrong, and not tried again."""

    async def main() -> None:
        async with school(trainer, tmp_path) as harness:
            await harness.start("flow", "digit-train")
            runs = {said: await harness.submit("digit-train", given) for said, given in WRONG.items()}
            for said, run in runs.items():
                end = await harness.ended(run, 60)
                assert end.event.kind is EventKind.RUN_FAILED
                assert said in str(end.event.data)
                assert not harness.events_of(run, EventKind.RETRYING)

    asyncio.run(main())
