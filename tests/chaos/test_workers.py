"""Workers that come and go: what a run says and does without one, and how the catalogue knows."""

import asyncio
from typing import Any

import psutil
import pytest

from tests.chaos.conftest import SharedInstallation
from tests.chaos.installation import Installation
from tests.integration.support.waiting import until

VISIT = """
pipeline: visit
input: {seconds: float}
nodes:
  call: {service: lonely, with: {seconds: "${seconds}"}}
output: {seconds: "${call.seconds}"}
timeout: 120s
"""
SHORT = VISIT.replace("visit", "short-visit").replace("120s", "2s")


async def listed(made: Installation) -> bool:
    """Whether the catalogue has the service."""
    _, document = await made.get("/services")
    return "lonely" in {one["name"] for one in document["services"]}


async def state(made: Installation, run: str) -> Any:
    """What the gateway says of a run."""
    _, document = await made.get(f"/runs/{run}")
    return document["status"], document["waiting_for"]


@pytest.mark.slow
def test_workers_come_and_go(shared_installation: SharedInstallation) -> None:
    """SIGTERM: the work under way ends, the service leaves the catalogue. Without a worker a run is accepted and says what it
    waits for; it ends when one comes, or at its deadline. Kill -9: the service expires.
    """

    async def main(made: Installation) -> None:
        worker = await made.start_single_worker_service()
        await made.define(VISIT)
        await made.define(SHORT)
        await until(lambda: listed(made), 10, "the service")

        # SIGTERM in the middle of a body
        run = await made.submit("visit", {"seconds": 2.0})
        await until(lambda: "node.started" in {one.name for one in made.received[run]}, 30, "work")
        children = psutil.Process(worker.process.pid).children(recursive=True)
        assert await asyncio.to_thread(worker.end) == 0
        assert await made.output(run) == {"seconds": 2.0}
        names = [
            one.name for one in made.received[run] if one.name != "run.waiting"
        ]  # flow may hear of a worker a little later
        assert names == ["run.accepted", "node.started", "node.finished", "run.finished"]
        await until(lambda: _gone(made), 10, "the withdrawal")
        assert not psutil.wait_procs(children, timeout=5)[1]

        # nobody is there
        waiting = await made.submit("visit", {"seconds": 0.0})
        late = await made.submit("short-visit", {"seconds": 0.0})
        await until(lambda: "run.waiting" in {one.name for one in made.received[waiting]}, 30, "run.waiting")
        (received,) = [one for one in made.received[waiting] if one.name == "run.waiting"]
        assert received.data["service"] == "lonely"
        assert await state(made, waiting) == ("waiting", "lonely")
        last = await made.end(late, 30)
        assert last.name == "run.failed"
        assert "deadline" in last.data["reason"]
        assert last.data["hint"]
        status, document = await made.get(f"/runs/{late}/result")
        assert (status, document["type"]) == (504, "urn:millrace:run-late")
        assert not made.followers[waiting].done()

        # somebody comes
        worker = await made.start_single_worker_service()
        assert await made.output(waiting) == {"seconds": 0.0}
        assert await state(made, waiting) == ("finished", None)
        names = [one.name for one in made.received[late]]
        assert names == ["run.accepted", "run.waiting", "run.failed"]  # its task was dropped

        # kill -9
        await until(lambda: listed(made), 10, "the service")
        worker.kill()
        await until(lambda: _gone(made), 30, "the end of the announcement")
        await made.all_ended(5)

    shared_installation.run(main(shared_installation.installation))


async def _gone(made: Installation) -> bool:
    return not await listed(made)
