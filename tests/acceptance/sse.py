"""Read server-sent events as the specification says, with no code of the gateway."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

ENDS = ("run.finished", "run.failed", "run.cancelled")


@dataclass(frozen=True)
class StreamEvent:
    """One event as a client gets it."""

    id: int
    name: str
    data: dict[str, Any]

    @property
    def place(self) -> str:
        """Which node execution it is about; "" for the run itself."""
        return self.data["path"] or ""


def events(lines: Iterable[str]) -> Iterator[StreamEvent]:
    """The events of a stream of lines; comments are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if not line:
            if "data" in fields:
                yield StreamEvent(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}
            continue
        name, _, value = line.partition(":")
        fields[name] = fields[name] + "\n" + value[1:] if name in fields else value[1:]


def check_order(received: list[StreamEvent]) -> None:
    """What holds of every run: accepted first and once, one end and that last, ids growing, and no node ends before it began."""
    names = [one.name for one in received]
    assert names[0] == "run.accepted"
    assert names.count("run.accepted") == 1
    assert names[-1] in ENDS, names
    assert sum(name in ENDS for name in names) == 1
    ids = [one.id for one in received]
    assert ids == sorted(set(ids)), [(one.id, one.name, one.place) for one in received]
    assert len({one.data["run"] for one in received}) == 1
    begun: set[str] = set()
    finished: set[str] = set()
    for one in received:
        assert one.data["event"] == one.name
        if one.name == "node.started":
            assert one.place not in finished, f"{one.place} began after it had finished"
            begun.add(one.place)
        elif one.name == "node.finished":
            assert one.place not in finished, f"{one.place} finished twice"
            finished.add(one.place)
            if "attempt" in one.data:
                assert one.place in begun, f"{one.place} finished before it began"
