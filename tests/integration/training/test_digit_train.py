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
from streams.wire.codec import Told
from tests.integration.support.runtime_harness import Rig, alone
from tests.integration.support.trainer import Trainer, trainer
from tests.integration.support.waiting import until

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(400)]

LONG = {"digits": [0, 1], "epochs": 50, "pictures": 3000}


@contextlib.asynccontextmanager
async def school(trainer: Trainer, folder: Path) -> AsyncIterator[Rig]:
    """A rig whose workers train with the module's registry of models."""
    own = dataclasses.replace(
        alone(trainer.settings),
        mlflow=trainer.settings.mlflow,
        data=trainer.settings.data,
        train=trainer.settings.train,
    )
    async with Rig(own, folder) as rig:
        yield rig


def progress(rig: Rig, run: str) -> list[Mapping[str, Any]]:
    """What a run has said of how far it is."""
    return [one.event.data for one in rig.told(run, EventKind.PROGRESS)]


def epochs(rig: Rig, run: str) -> list[int]:
    """The epochs that were told."""
    return [one["figures"]["epoch"] for one in progress(rig, run) if "epoch" in one.get("figures", {})]


def trainings(rig: Rig) -> list[psutil.Process]:
    """The processes that train for a rig's workers."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if "training" in line and any(str(rig.settings.home) in one for one in line):
                found.append(process)
    return found


def test_a_training_outlives_its_worker(trainer: Trainer, tmp_path: Path) -> None:
    """A worker that is killed takes its training with it; another goes on where it was; the run ends with a model that serves."""

    async def main() -> Told:
        async with school(trainer, tmp_path) as rig:
            await rig.start("flow")
            first = await rig.start("digit-train")
            run = await rig.submit("digit-train", {"digits": [1, 0], "epochs": 2, "pictures": 1500, "fewer": True})
            await until(lambda: epochs(rig, run) == [1], 240, "the first epoch")
            first.kill()
            await until(lambda: not trainings(rig), 20, "the end of its training")
            await rig.start("digit-train")
            end = await rig.ended(run, 300)
            assert epochs(rig, run) == [1, 2]
            for name in ("confusion", "course"):
                assert (await rig.parts.store.get(Ref.from_dict(end.event.data["output"][name]))).startswith(b"\x89PNG")
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
        async with school(trainer, tmp_path) as rig:
            await rig.start("flow", "digit-train")
            one = await rig.submit("digit-train", LONG)
            await until(lambda: progress(rig, one), 240, "the begin of the first")
            other = await rig.submit("digit-train", {**LONG, "digits": [2, 3]})
            await until(lambda: progress(rig, other), 240, "the second to wait")
            assert progress(rig, other)[0]["text"].startswith(
                "waits its turn: digits (digits 0,1, pictures 3000) is trained"
            )
            await until(lambda: epochs(rig, one), 240, "an epoch of the first")
            for run in (other, one):
                await rig.parts.producer.send(await rig.parts.wire.control(Control(run, Action.CANCEL)))
            for run in (other, one):
                assert (await rig.ended(run)).event.kind is EventKind.RUN_CANCELLED
            await until(lambda: not trainings(rig), 20, "the end of both trainings")

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
        async with school(trainer, tmp_path) as rig:
            await rig.start("flow", "digit-train")
            runs = {said: await rig.submit("digit-train", given) for said, given in WRONG.items()}
            for said, run in runs.items():
                end = await rig.ended(run, 60)
                assert end.event.kind is EventKind.RUN_FAILED
                assert said in str(end.event.data)
                assert not rig.told(run, EventKind.RETRYING)

    asyncio.run(main())
