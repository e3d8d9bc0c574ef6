"""Follow a run: print its events as they come, over any number of lost connections, to the last one."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from streams.cli.client import Gateway, part
from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, emit, say
from streams.cli.sse import Frame, frames
from streams.errors import Blame, MillraceError

PATIENCE = 60.0
"""Seconds without an event after which reconnecting is given up."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

ENDS: Mapping[str, Exit] = {
    "run.finished": Exit.DONE,
    "run.failed": Exit.RUN_FAILED,
    "run.cancelled": Exit.RUN_CANCELLED,
}
"""The exit status for each last event of a run."""


def events(gateway: Gateway, run: str, after: str = "", pause: Callable[[float], None] = time.sleep) -> Iterator[Frame]:
    """Yield the run's events past the id `after`, each once, to its last one; reconnects when the stream breaks.

    Raises Failed when the gateway refuses, or does not answer for PATIENCE seconds.
    """
    last, delay, since = after, _FIRST_PAUSE, time.monotonic()
    while True:
        try:
            for frame in _connected(gateway, run, last):
                delay, since = _FIRST_PAUSE, time.monotonic()
                last = frame.id or last
                yield frame
            return
        except StreamLost as error:
            lost = str(error)
        if time.monotonic() - since > PATIENCE:
            raise Failed(Exit.UNAVAILABLE, f"the events do not come back ({lost}); go on with `millrace events {run}`")
        say(f"millrace: the events stopped ({lost}); coming back")
        pause(delay)
        delay = min(delay * 2, _LONGEST_PAUSE)


class StreamLost(MillraceError):
    """Raised when a stream of events ends before the run does; the message says why."""

    blame = Blame.NOBODY


def _connected(gateway: Gateway, run: str, after: str) -> Iterator[Frame]:
    """Yield events over one connection, to the run's last one. Raises StreamLost, and Failed when the gateway refuses."""
    headers = {"last-event-id": after} if after else {}
    with _losses(), gateway.stream(f"/runs/{part(run)}/events", headers) as answer:
        if answer.status_code == 204:  # nothing comes after this id
            return
        for frame in frames(answer.iter_lines()):
            if frame.name == "error":
                raise StreamLost(json.loads(frame.data).get("detail", "the gateway has a fault"))
            yield frame
            if frame.name in ENDS:
                return
    raise StreamLost("the stream ended early")


@contextmanager
def _losses() -> Iterator[None]:
    """Turn a broken connection and an unavailable gateway into StreamLost."""
    import httpx

    try:
        yield
    except httpx.TransportError as error:
        raise StreamLost(str(error) or type(error).__name__) from error
    except Failed as failed:
        if failed.exit is not Exit.UNAVAILABLE:
            raise
        raise StreamLost(str(failed)) from failed


def show(gateway: Gateway, run: str, output: Output, after: str = "") -> Exit:
    """Print the events as they come, and the result; return the exit status for the run's end."""
    begin: datetime | None = None
    for frame in events(gateway, run, after):
        event = json.loads(frame.data)
        when = datetime.fromisoformat(event["at"]) if event.get("at") else None
        begin = begin or when
        seconds = (when - begin).total_seconds() if when and begin else 0.0
        emit(output, event, lambda event=event, seconds=seconds: line(event, seconds))  # type: ignore[misc]
        if frame.name in ENDS:
            if output is Output.TEXT and frame.name == "run.finished":
                emit(output, event, result(gateway.url, event.get("output")))
            return ENDS[frame.name]
    return Exit.DONE


def line(event: Mapping[str, Any], seconds: float) -> str:
    """Write one event as text: `  0.31 s  node.finished  blur`."""
    words = [f"{seconds:7.2f} s  {event.get('event', ''):<13}"]
    words += [str(event[key]) for key in ("path",) if event.get(key)]
    if event.get("service") and event["service"] != event.get("path"):
        words.append(f"({event['service']})")
    if event.get("event") == "node.progress":
        words += [f"{event['done']:.0%}"] if "done" in event else []
        words += [str(event["text"])] if event.get("text") else [json.dumps(event.get("figures", {}))]
    failure = {**(event.get("failure") or {}), **event}
    if reason := failure.get("reason"):
        hint = failure.get("hint") if event.get("event") in ENDS else ""  # the hint is printed once, at the end
        words.append(f"{reason} ({hint})" if hint else f"{reason}")
    return "  ".join(words).rstrip()


def result(url: str, output: Any) -> str:
    """Write an output as text: one line per field, images as their addresses at the gateway `url`."""
    if not isinstance(output, Mapping):
        return json.dumps(output, ensure_ascii=False)
    return "\n".join(f"{name}:{_value(url, value)}" for name, value in output.items())


def _value(url: str, value: Any) -> str:
    if is_object(value):
        ref = value["ref"]
        return f" {url}{value['href']}  ({ref['media_type']}, {ref['size']:,} bytes)"
    if isinstance(value, list) and value and all(map(is_object, value)):
        return "".join(f"\n {_value(url, item)}" for item in value)
    return f" {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def is_object(value: Any) -> bool:
    """Return whether a value of an output is a reference to a stored object."""
    return isinstance(value, Mapping) and isinstance(value.get("ref"), Mapping) and isinstance(value.get("href"), str)
