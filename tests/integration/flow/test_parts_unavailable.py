"""A service whose own part is away: its task waits, at no attempt, and everyone can see for what."""

import json
from pathlib import Path
from typing import Any

from streams.messages import Action, Control, EventKind
from tests.integration.support.shared_runtime import Town
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


def waiting_for(town: Town) -> set[str]:
    """What the rig's worker says that it waits for."""
    files = town.rig.settings.home.glob("workers/*.json")
    return {part for file in files for part in json.loads(file.read_text())["waiting_for"]}


def test_its_absence_is_waited_out(town: Town, tmp_path: Path) -> None:
    """With one attempt only, a task whose part is away for a while finishes at its first; that service alone is said to wait."""

    async def main() -> Any:
        rig, mark = town.rig, tmp_path / "back"
        await rig.publish(ONCE)
        run = await rig.submit("once", {"n": 7, "mark": str(mark)})
        await until(lambda: "postgres" in waiting_for(town), 30, "a worker that says what it waits for")
        assert rig.end(run) is None
        await until(lambda: rig.services.workers("needs-postgres")[0].waiting_for == ("postgres",), 30, "its word")
        others = {
            worker.service: worker.waiting_for
            for worker in rig.services.standing()
            if worker.service != "needs-postgres"
        }
        assert set(others.values()) == {()}, others
        mark.touch()
        output = await rig.output(run)
        assert not rig.told(run, EventKind.RETRYING)
        return output

    assert town.run(main()) == {"n": 7}


def test_a_run_that_is_cancelled_does_not_wait_on(town: Town, tmp_path: Path) -> None:
    """Who gives up on a run whose service waits for its part frees the task."""

    async def main() -> None:
        rig = town.rig
        run = await rig.submit("once", {"n": 7, "mark": str(tmp_path / "never")})
        await until(lambda: "postgres" in waiting_for(town), 30, "a worker that waits")
        await rig.parts.producer.send(await rig.parts.wire.control(Control(run, Action.CANCEL)))
        assert (await rig.ended(run)).event.kind is EventKind.RUN_CANCELLED
        await until(lambda: "postgres" not in waiting_for(town), 30, "a worker that does not wait")

    town.run(main())
