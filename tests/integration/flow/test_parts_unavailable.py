"""A service whose own part is away: its task waits, at no attempt, and everyone can see for what."""

import json
from pathlib import Path
from typing import Any

from streams.messages import Action, Control, EventKind
from tests.integration.support.shared_runtime import SharedRuntime
from tests.integration.support.waiting import until

ONCE = """
pipeline: once
input: {n: int, mark: string}
nodes:
  a:
    service: needs-postgres
    with: {n: "${n}", mark: "${mark}"}
    retry: {attempts: 1}
output: {n: "${a.n}"}
"""


def waiting_for(shared_runtime: SharedRuntime) -> set[str]:
    """What the harness's worker says that it waits for."""
    files = shared_runtime.harness.settings.home.glob("workers/*.json")
    return {part for file in files for part in json.loads(file.read_text())["waiting_for"]}


def test_its_absence_is_waited_out(shared_runtime: SharedRuntime, tmp_path: Path) -> None:
    """With one attempt only, a task whose part is away for a while finishes at its first; that service alone is said to wait."""

    async def main() -> Any:
        harness, mark = shared_runtime.harness, tmp_path / "back"
        await harness.publish(ONCE)
        run = await harness.submit("once", {"n": 7, "mark": str(mark)})
        await until(lambda: "postgres" in waiting_for(shared_runtime), 30, "a worker that says what it waits for")
        assert harness.end(run) is None
        await until(lambda: harness.services.workers("needs-postgres")[0].waiting_for == ("postgres",), 30, "its word")
        others = {
            worker.service: worker.waiting_for
            for worker in harness.services.standing()
            if worker.service != "needs-postgres"
        }
        assert set(others.values()) == {()}, others
        mark.touch()
        output = await harness.output(run)
        assert not harness.events_of(run, EventKind.RETRYING)
        return output

    assert shared_runtime.run(main()) == {"n": 7}


def test_a_run_that_is_cancelled_does_not_wait_on(shared_runtime: SharedRuntime, tmp_path: Path) -> None:
    """Who gives up on a run whose service waits for its part frees the task."""

    async def main() -> None:
        harness = shared_runtime.harness
        run = await harness.submit("once", {"n": 7, "mark": str(tmp_path / "never")})
        await until(lambda: "postgres" in waiting_for(shared_runtime), 30, "a worker that waits")
        await harness.connections.producer.send(await harness.connections.wire.control(Control(run, Action.CANCEL)))
        assert (await harness.ended(run)).event.kind is EventKind.RUN_CANCELLED
        await until(lambda: "postgres" not in waiting_for(shared_runtime), 30, "a worker that does not wait")

    shared_runtime.run(main())
