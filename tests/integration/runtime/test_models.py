"""Models that are exchanged while they serve: the registry's alias moves, agents swap, and nobody is dropped."""

import asyncio
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from schemas.library import load
from streams.models import read
from streams.runtime.catalogue.announcements import Announcement
from streams.runtime.models.champions import connected, demote, promote
from streams.settings import Settings
from streams.wire import topics
from tests.integration.support.model_registry import ModelRegistry, model_registry
from tests.integration.support.runtime_harness import ROOT, RuntimeHarness, isolated
from tests.integration.support.tcp_proxy import TcpProxy
from tests.integration.support.waiting import until
from tests.integration.support.word_model_service import FOLDER

WORD_MODEL_SERVICE = "tests.integration.support.word_model_service"
SHIPPED = read(FOLDER).version


@contextlib.asynccontextmanager
async def word_model_workers(
    settings: Settings, folder: Path, *, proxy: TcpProxy | None = None
) -> AsyncIterator[tuple[RuntimeHarness, ModelRegistry]]:
    """A runtime harness whose workers look at a registry of their own; with a proxy they reach S3 through it."""
    async with model_registry(settings, "oracle") as made:
        own = dataclasses.replace(isolated(settings), mlflow=made.url, workers=2)
        instead = dataclasses.replace(own, s3=proxy.url) if proxy is not None else None
        async with RuntimeHarness(own, folder, instead=instead) as harness:
            yield harness, made


async def use(harness: RuntimeHarness, version: str) -> None:
    """What `millrace models use` does."""
    async with connected(harness.settings) as connection:
        assert connection is not None
        if version == SHIPPED:
            await demote(connection, "oracle")
        else:
            await promote(connection, "oracle", version)


def announced(harness: RuntimeHarness) -> list[Announcement]:
    """What the oracle's workers say."""
    return harness.services.workers("oracle")


async def serving(harness: RuntimeHarness, version: str, workers: int = 1) -> None:
    """Waits until the catalogue says that this version serves."""

    def said() -> bool:
        found = announced(harness)
        return len(found) == workers and all(one.model_version == version and not one.problem for one in found)

    await until(
        said, 40, f"the oracle at {version}: {[(one.model_version, one.problem) for one in announced(harness)]}"
    )


async def told_of(harness: RuntimeHarness, problem: str) -> Announcement:
    """Waits until the catalogue tells of a problem."""

    def found() -> Announcement | None:
        return next((one for one in announced(harness) if problem in (one.problem or "")), None)

    said: Announcement = await until(found, 40, f"the problem {problem!r}")
    return said


async def ever_announced(harness: RuntimeHarness) -> set[tuple[str, str]]:
    """The model and version of every announcement that was ever made of the oracle."""
    records = await harness.read(harness.connections.topic(topics.SERVICES))
    received = [one.value for one in records if one.value and (one.key or b"").startswith(b"oracle/")]
    said = [await harness.connections.codec.decode(value, load("Announcement")) for value in received]
    return {(one["model"], one["model_version"]) for one in said}


async def answer(harness: RuntimeHarness) -> dict[str, Any]:
    """What a run gives."""
    found: dict[str, Any] = await harness.output(await harness.submit("oracle", {"seconds": 0.0}))
    return found


def test_swaps_under_load_drop_no_run_and_each_answer_names_its_version(settings: Settings, tmp_path: Path) -> None:
    """While runs come without a pause, three versions and the shipped one take turns on two workers; every run finishes
    with the word of the version that it names, and what is asked after a swap is answered by the new one alone.
    """

    async def main() -> None:
        async with word_model_workers(settings, tmp_path) as (harness, made):
            await made.make()
            words = {SHIPPED: "perhaps", **{await made.add(word): word for word in ("yes", "no", "later")}}
            yes, no, later = list(words)[1:]
            await harness.start(WORD_MODEL_SERVICE, "flow", "models")
            await harness.start(WORD_MODEL_SERVICE)
            await serving(harness, SHIPPED, 2)
            asked: list[str] = []
            over = asyncio.Event()

            async def ask() -> None:
                while not over.is_set():
                    asked.append(await harness.submit("oracle", {"seconds": 0.01}))
                    await harness.ended(asked[-1])

            load = [asyncio.create_task(ask()) for _ in range(6)]
            for version in (yes, no, later, yes, SHIPPED, no):
                before = len(asked)
                await use(harness, version)
                await serving(harness, version, 2)
                found = await answer(harness)
                assert (found["model_version"], found["word"]) == (version, words[version])
                await until(lambda before=before: len(asked) > before + 20, 40, "some more runs")  # type: ignore[misc]
            over.set()
            await asyncio.gather(*load)
            answers = [await harness.output(run) for run in asked]
            assert {one["model_version"] for one in answers} == set(words)
            assert all(one["word"] == words[one["model_version"]] for one in answers)
            assert all(one["model"] == f"oracle_{one['word']}" for one in answers)
            # Of the three that were fetched: what serves, and what did so before the shipped one.
            kept = {one.name for one in (harness.settings.home / "models" / "oracle").iterdir()}
            assert kept == {no, yes}

    asyncio.run(main())


def test_a_worker_begins_with_the_champion(settings: Settings, tmp_path: Path) -> None:
    """Who comes after a promotion never answers with another model, and announces the right one from the first moment;
    the same when the registry is gone by then, since the topic remembers.
    """

    async def main() -> None:
        async with word_model_workers(settings, tmp_path) as (harness, made):
            await made.make()
            version = await made.add("yes")
            await use(harness, version)
            watcher = await harness.start("models", "flow")
            await until(lambda: "is to be served by oracle_yes" in watcher.log.read_text(), 30, "the promotion")
            watcher.kill()
            first = await harness.start(WORD_MODEL_SERVICE)
            await serving(harness, version)
            assert await ever_announced(harness) == {("oracle_yes", version)}
            assert first.end() == 0
            await harness.start(WORD_MODEL_SERVICE, "flow")  # its files are here already
            assert (await answer(harness))["word"] == "yes"

    asyncio.run(main())


def test_without_a_registry_the_shipped_model_serves(settings: Settings, tmp_path: Path) -> None:
    """No database, then one without MLflow's tables, then one without an alias: nothing is wrong with any of them."""

    async def main() -> None:
        async with word_model_workers(settings, tmp_path) as (harness, made):
            nowhere = f"{settings.postgres.rpartition('/')[0]}/there_is_none"
            watcher = await harness.start("models", "flow", MILLRACE_MLFLOW=nowhere)
            await harness.start(WORD_MODEL_SERVICE)
            await serving(harness, SHIPPED)
            assert (await answer(harness))["word"] == "perhaps"
            assert watcher.end() == 0
            watcher = await harness.start("models", "flow")
            await made.make()
            version = await made.add("yes")
            await use(harness, version)
            await serving(harness, version)
            assert "WARNING agents.workers.model_watcher" not in watcher.log.read_text()

    asyncio.run(main())


def test_a_champion_that_cannot_serve_leaves_the_one_before_in_its_place(settings: Settings, tmp_path: Path) -> None:
    """A file that is not the card's, a card that is missing, a model that does not load, and a version without a bundle: the
    catalogue says what is wrong, the one before answers, and the next good one takes over.
    """

    async def main() -> None:
        async with word_model_workers(settings, tmp_path) as (harness, made):
            await made.make()
            good = await made.add("yes")
            worker = await harness.start(WORD_MODEL_SERVICE, "flow", "models")
            await use(harness, good)
            await serving(harness, good)
            for word, spoil, problem in (
                ("no", "word", "word.txt is not the file of its card"),
                ("never", "card", "there is no object"),
                ("mumble", "", "nobody understands this model"),
            ):
                await use(harness, await made.add(word, spoil=spoil))
                said = await told_of(harness, problem)
                assert said.model_version == good
                assert f"oracle_yes {good} continues to serve" in (said.problem or "")
                assert (await answer(harness))["word"] == "yes"
            await made.execute("delete from model_version_tags where key = 'millrace.version' and version = 1")
            await made.execute("update registered_model_aliases set version = 1")
            await until(lambda: "names no bundle" in worker.log.read_text(), 30, "the complaint")
            assert (await answer(harness))["word"] == "yes"
            better = await made.add("surely")
            await use(harness, better)
            await serving(harness, better)
            assert (await answer(harness))["word"] == "surely"

    asyncio.run(main())


def test_an_unavailable_store_delays_a_swap_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    """While S3 does not answer, the model before goes on; when it is back, the new one is fetched and serves."""

    async def main() -> None:
        proxy = TcpProxy(settings.s3)
        await proxy.open()
        async with word_model_workers(settings, tmp_path, proxy=proxy) as (harness, made):
            await made.make()
            first, second = await made.add("yes"), await made.add("no")
            await use(harness, first)
            await harness.start(WORD_MODEL_SERVICE, "flow", "models")
            await serving(harness, first)
            await proxy.close()
            await use(harness, second)
            await until(lambda: any("s3" in one.waiting_for for one in announced(harness)), 40, "the wait for S3")
            assert (await answer(harness))["word"] == "yes"
            await proxy.open()
            await serving(harness, second)
            assert (await answer(harness))["word"] == "no"
        await proxy.close()

    asyncio.run(main())


def test_the_command_line_moves_the_alias(settings: Settings, tmp_path: Path) -> None:
    """`models list`, `show` and `use` say and do what is so; what does not exist is refused with what does."""

    def millrace(given: Settings, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", "models", *words],
            cwd=ROOT, env={**os.environ, **given.environ()}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    async def main() -> None:
        async with model_registry(settings, "oracle") as made:
            own = dataclasses.replace(settings, mlflow=made.url, home=tmp_path)
            empty = await asyncio.to_thread(millrace, own, "list")
            assert (empty.returncode, empty.stdout) == (0, "")
            assert "the shipped models serve" in empty.stderr
            await made.make()
            yes, no = await made.add("yes"), await made.add("no")
            used = await asyncio.to_thread(millrace, own, "use", "oracle", no, "--output", "json")
            assert (used.returncode, json.loads(used.stdout)["number"]) == (0, 2)
            used = await asyncio.to_thread(millrace, own, "use", "oracle", "1")
            assert f"oracle_yes {yes} (number 1) is the champion" in used.stdout
            listed = await asyncio.to_thread(millrace, own, "list", "oracle", "--output", "json")
            found = [json.loads(line) for line in listed.stdout.splitlines()]
            assert [(one["version"], one["champion"]) for one in found] == [(yes, True), (no, False)]
            assert "champion" in (await asyncio.to_thread(millrace, own, "list")).stdout
            shown = await asyncio.to_thread(millrace, own, "show", "oracle")
            assert f"millrace.version: {yes}" in shown.stdout
            wrong = await asyncio.to_thread(millrace, own, "use", "oracle", "7")
            assert (wrong.returncode, wrong.stdout) == (14, "")
            assert f"there are: 1 ({yes}), 2 ({no})" in wrong.stderr
            shipped = await asyncio.to_thread(millrace, own, "use", "oracle", "shipped")
            assert "the shipped model serves from now on" in shipped.stdout
            assert (await asyncio.to_thread(millrace, own, "show", "oracle")).returncode == 14

    asyncio.run(main())
