"""Messages as the plain records of `schemas/avro`, and back: one pair of functions a message, no bytes here."""

from collections.abc import Mapping
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
    Item,
    Opened,
    Run,
    Start,
    Status,
    Stop,
    Task,
    Token,
)

Fields = Mapping[str, Any]


def run(value: Run) -> dict[str, Any]:
    """millrace.Run."""
    return {
        "id": value.id,
        "pipeline": value.pipeline,
        "digest": value.digest,
        "deadline": value.deadline,
        "shadow_of": value.shadow_of,
    }


def read_run(value: Fields) -> Run:
    """The run of a millrace.Run."""
    return Run(value["id"], value["pipeline"], value["digest"], value["deadline"], value.get("shadow_of", ""))


def context(value: Context) -> dict[str, Any]:
    """millrace.Context."""
    return {"values": dict(value.values), "skipped": sorted(value.skipped)}


def read_context(value: Fields) -> Context:
    """The context of a millrace.Context."""
    return Context(value["values"], frozenset(value["skipped"]))


def failure(value: Failure) -> dict[str, Any]:
    """millrace.Failure."""
    return {"reason": value.reason, "fault": value.fault.value, "path": value.path, "hint": value.hint}


def read_failure(value: Fields | None) -> Failure | None:
    """The failure of a millrace.Failure, or None."""
    return None if value is None else Failure(value["reason"], Fault(value["fault"]), value["path"], value["hint"])


def envelope(value: Task) -> dict[str, Any]:
    """millrace.Envelope: a task without its input, which is the record's value."""
    return {
        "run": run(value.run),
        "vertex": value.vertex,
        "at": list(value.at),
        "path": value.path,
        "attempt": value.attempt,
        "timeout": value.timeout,
        "context": context(value.context),
        "executions": value.executions,
    }


def task(about: Fields, given: Fields, service: str, major: int) -> Task:
    """The task of an envelope and an input record."""
    return Task(
        run=read_run(about["run"]),
        vertex=about["vertex"],
        at=tuple(about["at"]),
        path=about["path"],
        service=service,
        major=major,
        input=given,
        context=read_context(about["context"]),
        attempt=about["attempt"],
        timeout=about["timeout"],
        executions=about.get("executions", 0),
    )


def flow(message: FlowMessage, now: float) -> tuple[str, dict[str, Any]]:
    """The branch of millrace.FlowMessage: its record's full name, and the record, sent at `now` (epoch seconds)."""
    match message:
        case Start():
            return "millrace.Start", {
                "run": run(message.run),
                "input": message.input,
                "source": message.source,
                "reused": [
                    {"vertex": vertex, "at": list(at), "value": value} for (vertex, at), value in message.reused.items()
                ],
                "origin": dict(message.origin),
                "refused": None if message.refused is None else failure(message.refused),
            }
        case Token():
            return "millrace.Token", {
                "run": run(message.run),
                "join": message.join,
                "at": list(message.at),
                "edge": message.edge,
                "status": message.status.value,
                "context": context(message.context),
                "failure": None if message.failure is None else failure(message.failure),
                "said": [event(one, now) for one in message.said],
                "executions": message.executions,
            }
        case Opened():
            return "millrace.Opened", {
                "run": run(message.run),
                "loop": message.loop,
                "at": list(message.at),
                "items": list(message.items),
                "body": context(message.body),
                "after": context(message.after),
                "executions": message.executions,
            }
        case Item():
            return "millrace.Item", {
                "run": run(message.run),
                "loop": message.loop,
                "at": list(message.at),
                "index": message.index,
                "status": message.status.value,
                "value": message.value,
                "failure": None if message.failure is None else failure(message.failure),
                "said": [event(one, now) for one in message.said],
                "executions": message.executions,
            }
        case Stop():
            return "millrace.Stop", {
                "run": message.run,
                "ending": message.ending.value,
                "join": message.join,
                "at": list(message.at),
            }


def read_flow(tagged: tuple[str, Fields]) -> FlowMessage:
    """The message of a branch of millrace.FlowMessage, as `tagged` decoding gives it."""
    name, value = tagged
    match name:
        case "millrace.Start":
            reused = {(one["vertex"], tuple(one["at"])): one["value"] for one in value["reused"]}
            refused = read_failure(value["refused"])
            return Start(read_run(value["run"]), value["input"], value["source"], reused, value["origin"], refused)
        case "millrace.Token":
            return Token(
                read_run(value["run"]),
                value["join"],
                tuple(value["at"]),
                value["edge"],
                Status(value["status"]),
                read_context(value["context"]),
                read_failure(value["failure"]),
                tuple(map(read_event, value["said"])),
                value.get("executions", 0),
            )
        case "millrace.Opened":
            return Opened(
                read_run(value["run"]),
                value["loop"],
                tuple(value["at"]),
                tuple(value["items"]),
                read_context(value["body"]),
                read_context(value["after"]),
                value.get("executions", 0),
            )
        case "millrace.Item":
            return Item(
                read_run(value["run"]),
                value["loop"],
                tuple(value["at"]),
                value["index"],
                Status(value["status"]),
                value["value"],
                read_failure(value["failure"]),
                tuple(map(read_event, value["said"])),
                value.get("executions", 0),
            )
        case "millrace.Stop":
            return Stop(value["run"], Ending(value["ending"]), value["join"], tuple(value["at"]))
    raise Undecodable(f"flow knows no message {name}")


def event(value: Event, now: float) -> dict[str, Any]:
    """millrace.Event; its time is `now` (epoch seconds), unless it happened before."""
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
    """The event of a millrace.Event. Raises Undecodable for a kind that this version does not know."""
    try:
        kind = EventKind(value["kind"])
    except ValueError:
        raise Undecodable(f"there is no event {value['kind']!r}") from None
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
    """The order of a millrace.Control."""
    return Control(value["run"], Action(value["action"]))
