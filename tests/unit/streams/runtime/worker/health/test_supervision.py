"""Supervision of a worker's members. Nothing is connected: the members have no partitions."""

import asyncio
import json
from pathlib import Path

import pytest

from streams.reader_trouble import Trouble
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.errors import Stuck
from streams.runtime.worker.health.supervision import Supervisor
from streams.runtime.worker.hosting.members import Members
from streams.settings import Settings
from streams.wire.records import Record


async def ignore(_: Record) -> None:
    """Handle a record."""


class Worker:
    """A supervisor of two members, and what it has written when it checked."""

    def __init__(self, home: Path) -> None:
        connections = Connections.of(Settings(home=home))
        self.members = Members(connections, DeadLetters(connections))
        for name in ("a", "b"):
            self.members.add(name, ["t"], ignore, room=1)
        self.file = home / "workers" / "w.json"
        self.stop = asyncio.Event()
        self.checks: list[list[str]] = []
        self.supervisor = Supervisor("w", connections, self.members, self._checked, period=0.01)

    def _checked(self) -> None:
        self.checks.append(sorted(json.loads(self.file.read_text())["groups"]))
        if len(self.checks) == 2:
            self.stop.set()


def test_health_is_written_until_the_stop(tmp_path: Path) -> None:
    """At every check; the file is gone in the end."""

    async def main() -> None:
        worker = Worker(tmp_path)
        await asyncio.wait_for(worker.supervisor.watch(worker.stop), 5)
        assert worker.checks == [["a", "b"], ["a", "b"]]
        assert not worker.file.exists()

    asyncio.run(main())


def test_a_member_that_cannot_continue_ends_the_worker(tmp_path: Path) -> None:
    """Its reason is the error's."""

    async def main() -> None:
        worker = Worker(tmp_path)
        worker.members.all[1].broken("it lost its group")
        with pytest.raises(Stuck, match="it lost its group"):
            await asyncio.wait_for(worker.supervisor.watch(worker.stop), 5)
        assert worker.checks == []

    asyncio.run(main())


def test_a_state_is_outdated_when_troubles_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until they are announced."""

    async def main() -> None:
        worker = Worker(tmp_path)
        assert worker.supervisor.state().groups == ("a", "b")
        assert not worker.supervisor.outdated()
        monkeypatch.setattr(worker.members, "troubles", lambda: (Trouble("a", "no leader", 0.0),))
        assert worker.supervisor.outdated()
        assert [trouble.reason for trouble in worker.supervisor.state().troubles] == ["no leader"]
        assert not worker.supervisor.outdated()

    asyncio.run(main())
