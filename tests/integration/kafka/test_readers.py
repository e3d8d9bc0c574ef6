"""A reader that cannot go on is seen by those who wait for it."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from infra.local.health import troubles
from streams.reader_trouble import Trouble
from streams.runtime.catalogue.announcements import Announcer
from streams.runtime.worker.health.worker_states import LASTING, WorkerState
from streams.wire.topics import WORKERS
from tests.integration.support.gateway_world import GatewayWorld, wait

NOW = time.time()
LASTS = Trouble("flow", "TOPIC_AUTHORIZATION_FAILED", NOW - 2 * LASTING, "pipeline.greet.requests", 3, 17)
PASSES = Trouble("flow", "a broker comes back", NOW + 3600)


def test_ready_and_explain_say_what_a_worker_cannot_read(gateways: GatewayWorld) -> None:
    """Once it has lasted for some seconds; when it is over, or its worker has left, nothing is said any more."""
    world = gateways
    present = [LASTS, PASSES]
    announcer = Announcer(world.connections, says(present), 30.0, WORKERS, "WorkerState")
    world.loop(announcer.start())
    run = world.submit()
    wait(lambda: "readers" in missing(world), lambda: missing(world))
    text = "flow cannot read pipeline.greet.requests/3@17 since "
    assert missing(world)["readers"].startswith(text)
    assert "comes back" not in missing(world)["readers"]
    assert [line.startswith(text) for line in world.first.http.get(f"/runs/{run.id}/explain").json()["unread"]] == [
        True
    ]
    present.remove(LASTS)
    world.loop(announcer.announce())
    wait(lambda: not missing(world), lambda: missing(world))
    present.append(LASTS)
    world.loop(announcer.announce())
    wait(lambda: "readers" in missing(world), lambda: missing(world))
    world.loop(announcer.stop())
    wait(lambda: not missing(world), lambda: missing(world))
    assert world.first.http.get(f"/runs/{run.id}/explain").json()["unread"] == []
    world.finish(run)


def says(present: list[Trouble]) -> Callable[[], list[WorkerState]]:
    """What a worker with these troubles says of itself."""
    return lambda: [WorkerState("w", time.time(), groups=("flow",), troubles=tuple(present))]


def missing(world: GatewayWorld) -> dict[str, str]:
    """What keeps a gateway from serving."""
    reasons: dict[str, str] = world.first.http.get("/health/ready").json().get("missing", {})
    return reasons


def test_status_reads_what_workers_that_live_say(tmp_path: Path) -> None:
    """Files of workers that are gone, and invalid files, are ignored."""
    folder = tmp_path / "workers"
    folder.mkdir()
    state = {"troubles": [LASTS.to_json()]}
    (folder / "lives.json").write_text(json.dumps({"pid": os.getpid(), **state}))
    (folder / "gone.json").write_text(json.dumps({"pid": 2**22 + 1, "troubles": [PASSES.to_json()]}))
    (folder / "older.json").write_text(json.dumps({"pid": os.getpid()}))
    (folder / "half.json").write_text('{"pid": ')
    assert troubles(tmp_path) == [LASTS]
    assert troubles(tmp_path / "nowhere") == []
