"""Who cannot serve takes no tasks: half of the calls would fail although another worker could do them."""

import asyncio
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from streams.messages import EventKind
from streams.settings import Settings
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.waiting import until
from tests.integration.support.word_model_service import FOLDER

WORD_MODEL_SERVICE = "tests.integration.support.word_model_service"
CALLS = 40


def at_work(harness: RuntimeHarness) -> dict[str, int]:
    """How many partitions of the oracle's tasks each worker has."""
    group = harness.connections.group("oracle")
    files = harness.settings.home.glob("workers/*.json")
    healths = [json.loads(file.read_text()) for file in files]
    return {one["worker"]: one["groups"][group]["partitions"] for one in healths if group in one["groups"]}


def unable(harness: RuntimeHarness) -> list[str]:
    """What the workers that take no tasks say is wrong."""
    return [one.problem or "" for one in harness.services.workers("oracle") if not one.able]


async def answers(harness: RuntimeHarness) -> list[Any]:
    """What many calls give."""
    runs = [await harness.submit("oracle", {"seconds": 0.0}) for _ in range(CALLS)]
    return [(await harness.output(run))["word"] for run in runs]


def test_a_worker_without_its_model_leaves_the_calls_to_the_other(settings: Settings, tmp_path: Path) -> None:
    """Every call is answered by the one that can; when the other gets its model, it joins and takes its share."""

    async def main() -> None:
        model = tmp_path / "model"
        model.mkdir()
        own = dataclasses.replace(isolated(settings), mlflow="")
        async with RuntimeHarness(own, tmp_path) as harness:
            await harness.start(WORD_MODEL_SERVICE, "flow")
            lacking = await harness.start(WORD_MODEL_SERVICE, ORACLE_MODEL=str(model))
            await until(lambda: len(harness.services.workers("oracle")) == 2, 30, "two workers")
            (problem,) = unable(harness)
            assert "make train" in problem
            assert "oracle takes no tasks here" in lacking.log.read_text()
            assert await answers(harness) == ["perhaps"] * CALLS
            shutil.copytree(FOLDER, model, dirs_exist_ok=True)
            await until(lambda: sorted(at_work(harness).values()) == [2, 2], 60, "its share")
            await until(lambda: not unable(harness), 30, "its word that it can serve")
            assert await answers(harness) == ["perhaps"] * CALLS

    asyncio.run(main())


def test_a_call_that_nobody_can_serve_waits_and_says_why(settings: Settings, tmp_path: Path) -> None:
    """With no other worker, the run says what is missing, and is done once that is there."""

    async def main() -> None:
        model = tmp_path / "model"
        model.mkdir()
        own = dataclasses.replace(isolated(settings), mlflow="")
        async with RuntimeHarness(own, tmp_path) as harness:
            await harness.start(WORD_MODEL_SERVICE, "flow", ORACLE_MODEL=str(model))
            await until(lambda: unable(harness), 30, "a worker that cannot serve")
            run = await harness.submit("oracle", {"seconds": 0.0})
            (received,) = await until(lambda: harness.events_of(run, EventKind.WAITING), 30, "what it waits for")
            assert "no worker of oracle v1 can serve" in received.event.data["reason"]
            assert "make train" in received.event.data["reason"]
            shutil.copytree(FOLDER, model, dirs_exist_ok=True)
            assert (await harness.output(run))["word"] == "perhaps"

    asyncio.run(main())
