"""Parse server-sent events. No network here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """One event. `id` is the last id so far, "" if there was none."""

    name: str
    data: str
    id: str = ""


def frames(lines: Iterable[str]) -> Iterator[Frame]:
    """Yield the events of these lines (without line ends); an incomplete last event is dropped."""
    name, identity = "", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Frame(name or "message", "\n".join(data), identity)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            identity = value
