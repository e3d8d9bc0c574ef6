"""Who cannot serve takes no tasks: half of the calls would fail although another worker could do them."""

import asyncio
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from streams.messages import EventKind
from streams.settings import Settings
from tests.integration.support.runtime_harness import Rig, alone
from tests.integration.support.waiting import until
from tests.integration.support.word_model_service import FOLDER

ORACLE = "tests.integration.support.word_model_service"
CALLS = 40


def at_work(rig: Rig) -> dict[str, int]:
    """How many partitions of the oracle's tasks each worker has."""
    group = rig.parts.group("oracle")
    files = rig.settings.home.glob("workers/*.json")
    healths = [json.loads(file.read_text()) for file in files]
    return {one["worker"]: one["groups"][group]["partitions"] for one in healths if group in one["groups"]}


def unable(rig: Rig) -> list[str]:
    """What the workers that take no tasks say is wrong."""
    return [one.problem or "" for one in rig.services.workers("oracle") if not one.able]


async def answers(rig: Rig) -> list[Any]:
    """What many calls give."""
    runs = [await rig.submit("oracle", {"seconds": 0.0}) for _ in range(CALLS)]
    return [(await rig.output(run))["word"] for run in runs]


def test_a_worker_without_its_model_leaves_the_calls_to_the_other(settings: Settings, tmp_path: Path) -> None:
    """Every call is answered by the one that can; when the other gets its model, it joins and takes its share."""

    async def main() -> None:
        model = tmp_path / "model"
        model.mkdir()
        own = dataclasses.replace(alone(settings), mlflow="")
        async with Rig(own, tmp_path) as rig:
            await rig.start(ORACLE, "flow")
            lacking = await rig.start(ORACLE, ORACLE_MODEL=str(model))
            await until(lambda: len(rig.services.workers("oracle")) == 2, 30, "two workers")
            (problem,) = unable(rig)
            assert "make train" in problem
            assert "oracle takes no tasks here" in lacking.log.read_text()
            assert await answers(rig) == ["perhaps"] * CALLS
            shutil.copytree(FOLDER, model, dirs_exist_ok=True)
            await until(lambda: sorted(at_work(rig).values()) == [2, 2], 60, "its share")
            await until(lambda: not unable(rig), 30, "its word that it can serve")
            assert await answers(rig) == ["perhaps"] * CALLS

    asyncio.run(main())


def test_a_call_that_nobody_can_serve_waits_and_says_why(settings: Settings, tmp_path: Path) -> None:
    """With no other worker, the run says what is missing, and is done once that is there."""

    async def main() -> None:
        model = tmp_path / "model"
        model.mkdir()
        own = dataclasses.replace(alone(settings), mlflow="")
        async with Rig(own, tmp_path) as rig:
            await rig.start(ORACLE, "flow", ORACLE_MODEL=str(model))
            await until(lambda: unable(rig), 30, "a worker that cannot serve")
            run = await rig.submit("oracle", {"seconds": 0.0})
            (told,) = await until(lambda: rig.told(run, EventKind.WAITING), 30, "what it waits for")
            assert "no worker of oracle v1 can serve" in told.event.data["reason"]
            assert "make train" in told.event.data["reason"]
            shutil.copytree(FOLDER, model, dirs_exist_ok=True)
            assert (await rig.output(run))["word"] == "perhaps"

    asyncio.run(main())
