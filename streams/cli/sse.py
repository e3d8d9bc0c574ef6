"""Server-sent events as lines of text, and as frames. No network here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """One event. `id` is the last one that was said, "" when none was."""

    name: str
    data: str
    id: str = ""


def frames(lines: Iterable[str]) -> Iterator[Frame]:
    """The events that these lines (without their ends) make; what is cut off in the middle is no event."""
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
