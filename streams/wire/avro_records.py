"""Messages as the plain records of `schemas/avro`, and back: one pair of functions a message. No bytes here.

A record that is read has every field: decoding fills in the defaults of those that its writer did not know.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.errors import Undecodable
from streams.messages import (
    Action,
    Context,
    Control,
    Ending,
    Event,
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    JoinToken,
    LoopItemDone,
    LoopOpened,
    Run,
    Start,
    Status,
    StopSignal,
    Task,
)

Fields = Mapping[str, Any]


def run(value: Run) -> dict[str, Any]:
    """Return the millrace.Run of a run."""
    return {
        "id": value.id,
        "pipeline": value.pipeline,
        "digest": value.digest,
        "deadline": value.deadline,
        "shadow_of": value.shadow_of,
        "straight": value.straight,
    }


def read_run(value: Fields) -> Run:
    """Return the run of a millrace.Run."""
    return Run(
        value["id"], value["pipeline"], value["digest"], value["deadline"], value["shadow_of"], value["straight"]
    )


def context(value: Context) -> dict[str, Any]:
    """Return the millrace.Context of a context."""
    return {"values": dict(value.values), "skipped": sorted(value.skipped)}


def read_context(value: Fields) -> Context:
    """Return the context of a millrace.Context."""
    return Context(value["values"], frozenset(value["skipped"]))


def failure(value: Failure) -> dict[str, Any]:
    """Return the millrace.Failure of a failure."""
    return {"reason": value.reason, "fault": value.fault.value, "path": value.path, "hint": value.hint}


def read_failure(value: Fields | None) -> Failure | None:
    """Return the failure of a millrace.Failure, or None for None."""
    return None if value is None else Failure(value["reason"], Fault(value["fault"]), value["path"], value["hint"])


def envelope(value: Task, now: float) -> dict[str, Any]:
    """Return the millrace.Envelope of a task that is sent at `now` (epoch seconds): all but its input, the record's value."""
    return {
        "run": run(value.run),
        "vertex": value.vertex,
        "at": list(value.at),
        "path": value.path,
        "attempt": value.attempt,
        "timeout": value.timeout,
        "context": context(value.context),
        "executions": value.executions,
        "said": [event(earlier, now) for earlier in value.said],
    }


def task(about: Fields, input: Fields, service: str, major: int) -> Task:
    """Return the task of an envelope and an input record."""
    return Task(
        run=read_run(about["run"]),
        vertex=about["vertex"],
        at=tuple(about["at"]),
        path=about["path"],
        service=service,
        major=major,
        input=input,
        context=read_context(about["context"]),
        attempt=about["attempt"],
        timeout=about["timeout"],
        executions=about["executions"],
        said=tuple(map(read_event, about["said"])),
    )


def _write_start(message: Start, _: float) -> dict[str, Any]:
    return {
        "run": run(message.run),
        "input": message.input,
        "source": message.source,
        "reused": [
            {"vertex": vertex, "at": list(at), "value": value} for (vertex, at), value in message.reused.items()
        ],
        "origin": dict(message.origin),
        "refused": None if message.refused is None else failure(message.refused),
    }


def _read_start(value: Fields) -> Start:
    return Start(
        read_run(value["run"]),
        value["input"],
        value["source"],
        {(entry["vertex"], tuple(entry["at"])): entry["value"] for entry in value["reused"]},
        value["origin"],
        read_failure(value["refused"]),
    )


def _write_token(message: JoinToken, now: float) -> dict[str, Any]:
    return {
        "run": run(message.run),
        "join": message.join,
        "at": list(message.at),
        "edge": message.edge,
        "status": message.status.value,
        "context": context(message.context),
        "failure": None if message.failure is None else failure(message.failure),
        "said": [event(earlier, now) for earlier in message.said],
        "executions": message.executions,
    }


def _read_token(value: Fields) -> JoinToken:
    return JoinToken(
        read_run(value["run"]),
        value["join"],
        tuple(value["at"]),
        value["edge"],
        Status(value["status"]),
        read_context(value["context"]),
        read_failure(value["failure"]),
        tuple(map(read_event, value["said"])),
        value["executions"],
    )


def _write_opened(message: LoopOpened, _: float) -> dict[str, Any]:
    return {
        "run": run(message.run),
        "loop": message.loop,
        "at": list(message.at),
        "items": list(message.items),
        "body": context(message.body),
        "after": context(message.after),
        "executions": message.executions,
    }


def _read_opened(value: Fields) -> LoopOpened:
    return LoopOpened(
        read_run(value["run"]),
        value["loop"],
        tuple(value["at"]),
        tuple(value["items"]),
        read_context(value["body"]),
        read_context(value["after"]),
        value["executions"],
    )


def _write_item(message: LoopItemDone, now: float) -> dict[str, Any]:
    return {
        "run": run(message.run),
        "loop": message.loop,
        "at": list(message.at),
        "index": message.index,
        "status": message.status.value,
        "value": message.value,
        "failure": None if message.failure is None else failure(message.failure),
        "said": [event(earlier, now) for earlier in message.said],
        "executions": message.executions,
    }


def _read_item(value: Fields) -> LoopItemDone:
    return LoopItemDone(
        read_run(value["run"]),
        value["loop"],
        tuple(value["at"]),
        value["index"],
        Status(value["status"]),
        value["value"],
        read_failure(value["failure"]),
        tuple(map(read_event, value["said"])),
        value["executions"],
    )


def _write_stop(message: StopSignal, _: float) -> dict[str, Any]:
    return {
        "run": message.run,
        "ending": message.ending.value,
        "join": message.join,
        "at": list(message.at),
    }


def _read_stop(value: Fields) -> StopSignal:
    return StopSignal(value["run"], Ending(value["ending"]), value["join"], tuple(value["at"]))


def event(value: Event, now: float) -> dict[str, Any]:
    """Return the millrace.Event of an event; its time is `now` (epoch seconds), unless it happened before."""
    return {
        "id": value.id,
        "run": run(value.run),
        "kind": value.kind.value,
        "vertex": value.vertex,
        "at": list(value.at),
        "path": value.path,
        "attempt": value.attempt,
        "data": dict(value.data),
        "time": value.time or now,
    }


def read_event(value: Fields) -> Event:
    """Return the event of a millrace.Event. Raises Undecodable for a kind that this version does not know."""
    try:
        kind = EventKind(value["kind"])
    except ValueError:
        raise Undecodable(f"unknown kind of event: {value['kind']!r}") from None
    return Event(
        read_run(value["run"]),
        kind,
        value["vertex"],
        tuple(value["at"]),
        value["path"],
        value["attempt"],
        value["data"],
        value["time"],
    )


def read_control(value: Fields) -> Control:
    """Return the order of a millrace.Control."""
    return Control(value["run"], Action(value["action"]))


@dataclass(frozen=True)
class FlowRecord:
    """The record of one kind of message for flow: a branch of millrace.FlowMessage."""

    name: str
    write: Callable[[Any, float], dict[str, Any]]
    """Takes the message, and when it is sent (epoch seconds)."""
    read: Callable[[Fields], FlowMessage]


FLOW_RECORDS: Mapping[type[FlowMessage], FlowRecord] = {
    Start: FlowRecord("millrace.Start", _write_start, _read_start),
    JoinToken: FlowRecord("millrace.Token", _write_token, _read_token),
    LoopOpened: FlowRecord("millrace.Opened", _write_opened, _read_opened),
    LoopItemDone: FlowRecord("millrace.Item", _write_item, _read_item),
    StopSignal: FlowRecord("millrace.Stop", _write_stop, _read_stop),
}
_READERS = {record.name: record.read for record in FLOW_RECORDS.values()}


def flow(message: FlowMessage, now: float) -> tuple[str, dict[str, Any]]:
    """Return the branch of millrace.FlowMessage: its record's full name, and the record, sent at `now` (epoch seconds)."""
    record = FLOW_RECORDS[type(message)]
    return record.name, record.write(message, now)


def read_flow(tagged: tuple[str, Fields]) -> FlowMessage:
    """Return the message of a branch of millrace.FlowMessage, as `tagged` decoding gives it. Raises Undecodable."""
    name, value = tagged
    if name not in _READERS:
        raise Undecodable(f"flow has no message {name}")
    return _READERS[name](value)
