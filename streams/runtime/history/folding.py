"""Events folded into the changes that they make to the history: one row per run and per node execution, however many events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.datasets import predictions
from streams.lifecycle import NODE_ENDS, RUN_ENDS, EventKind, NodeStatus, RunStatus
from streams.messages import Event
from streams.runtime.history import copying
from streams.runtime.history.copying import json, optional, stamp, text
from streams.wire.codec import SentEvent
from streams.wire.records import Place


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event, and its position in the log."""

    read: SentEvent
    place: Place
    offset: int

    @property
    def event(self) -> Event:
        """The event itself."""
        return self.read.event

    @property
    def id(self) -> str:
        """The event's id."""
        return self.read.id

    @property
    def at(self) -> float:
        """When it was sent first (epoch seconds)."""
        return self.read.at


@dataclass
class Changes:
    """Rows by their keys, with the columns of the tables; times are text."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[tuple[str, str, tuple[int, ...]], dict[str, Any]] = field(default_factory=dict)
    begun: list[tuple[str, str, tuple[int, ...]]] = field(default_factory=list)
    """Executions whose first attempt begins here: they have no row yet."""
    predictions: list[dict[str, Any]] = field(default_factory=list)


_RUN_STATUS = {EventKind.STARTED: RunStatus.RUNNING, EventKind.WAITING: RunStatus.WAITING, **RUN_ENDS}
"""The status that an event gives its run. A batch does not know the status before it, so only what is certain is here: other
events of nodes may come after the run's end."""

_NODE_STATUS = {EventKind.STARTED: NodeStatus.STARTED, EventKind.RETRYING: NodeStatus.RETRYING, **NODE_ENDS}
"""The status that an event gives its node execution."""


def fold_events(events: Iterable[LoggedEvent]) -> Changes:
    """Fold events, in their order."""
    changes = Changes()
    for logged in events:
        _fold(changes, logged)
    return changes


def _fold(changes: Changes, logged: LoggedEvent) -> None:
    event, at = logged.event, stamp(logged.at)
    kind, status = event.kind, _RUN_STATUS.get(event.kind)
    row = changes.runs.get(event.run.id)
    if row is None:
        row = changes.runs[event.run.id] = _run(event, logged.place.partition)
    row["updated_at"] = at
    if kind is EventKind.ACCEPTED:
        row["accepted_at"] = at
        row["input"] = event.data.get("input")
        row["replay_of"] = event.data.get("replay_of")
    elif status:
        row["status"] = status.value
        row["waiting_for"] = event.data.get("service") if kind is EventKind.WAITING else None
    if kind in _NODE_STATUS:
        _fold_node(changes, logged, at, _NODE_STATUS[kind])
        if kind is EventKind.FINISHED and predictions.KEY in event.data:
            changes.predictions.append(_prediction(logged, at))
    elif kind.terminal:
        row["ended_at"], row["ended_sequence"] = at, logged.offset
        row["output"] = event.data.get("output")
        row["failure"] = None if kind is EventKind.RUN_FINISHED else event.data


def _run(event: Event, partition: int) -> dict[str, Any]:
    return {
        "run": event.run.id,
        "pipeline": event.run.pipeline,
        "digest": event.run.digest,
        "status": None,
        "waiting_for": None,
        "input": None,
        "output": None,
        "failure": None,
        "accepted_at": None,
        "ended_at": None,
        "deadline": stamp(event.run.deadline),
        "partition": partition,
        "ended_sequence": None,
        "shadow_of": event.run.shadow_of or None,
        "replay_of": None,
    }


def _fold_node(changes: Changes, logged: LoggedEvent, at: str, status: NodeStatus) -> None:
    event = logged.event
    kind, place = event.kind, (event.run.id, event.vertex, event.at)
    row = changes.executions.get(place)
    if row is None:
        row = changes.executions[place] = {
            "run": event.run.id,
            "node": event.vertex,
            "path": event.path,
            "position": list(event.at),
            "service": None,
            "attempt": 1,
            "started_at": None,
            "failure": None,
        }
        if kind is EventKind.STARTED and event.attempt <= 1:
            changes.begun.append(place)
    row["status"] = status.value
    row["attempt"] = max(row["attempt"], event.attempt)
    row["service"] = event.data.get("service") or row["service"]
    row["ended_at"] = at if kind.over else None
    row["output"] = event.data.get("output") if kind is EventKind.FINISHED else None
    row["sequence"] = logged.offset
    if kind is EventKind.STARTED:
        row["started_at"] = at
    if kind is EventKind.FAILED or kind is EventKind.RETRYING:
        row["failure"] = event.data


def _prediction(logged: LoggedEvent, at: str) -> dict[str, Any]:
    event = logged.event
    output, about = event.data["output"], event.data[predictions.KEY]
    return {
        "id": logged.id,
        "run": event.run.id,
        "node": event.vertex,
        "path": event.path,
        "service": about["service"],
        "model": output["model"],
        "version": output["model_version"],
        "input": about["input"],
        "kept": about.get("kept"),
        "output": output,
        "confidence": predictions.confidence(output),
        "at": at,
    }


def event_row(logged: LoggedEvent) -> dict[str, Any]:
    """Convert an event to a row; `unless` is the id of an event that makes it obsolete, or None."""
    event = logged.event
    return {
        "run": event.run.id,
        "sequence": logged.offset,
        "partition": logged.place.partition,
        "id": logged.id,
        "kind": event.kind.value,
        "node": event.vertex,
        "path": event.path,
        "position": event.at,
        "attempt": event.attempt,
        "at": stamp(logged.at),
        "data": event.data,
        "unless": event.end if event.kind is EventKind.PROGRESS else None,
    }


# The same rows as lines for COPY, in the order of these columns -----------------------------------------------------

EVENT_COLUMNS = "run, sequence, partition, id, kind, node, path, position, attempt, at, data"
RUN_COLUMNS = (
    "run, pipeline, digest, status, waiting_for, input, output, failure, accepted_at, updated_at, ended_at, deadline, partition, "
    "ended_sequence, shadow_of, replay_of"
)
EXECUTION_COLUMNS = (
    "run, node, path, position, status, service, attempt, started_at, ended_at, output, failure, sequence"
)


def event_line(logged: LoggedEvent) -> str:
    """Write an event as a line for COPY, without a line break."""
    event = logged.event
    position = copying.numbers(event.at) if event.at else "{}"
    return (
        f"{text(event.run.id)}\t{logged.offset}\t{logged.place.partition}\t{text(logged.id)}\t{event.kind.value}\t"
        f"{text(event.vertex)}\t{text(event.path)}\t{position}\t{event.attempt}\t{stamp(logged.at)}\t{json(event.data)}"
    )


def run_line(row: Mapping[str, Any]) -> str:
    """Write a run that begins as a line for COPY, without a line break."""
    return "\t".join(
        (
            text(row["run"]),
            text(row["pipeline"]),
            text(row["digest"]),
            row["status"] or "accepted",
            optional(row["waiting_for"]),
            json(row["input"]),
            json(row["output"]),
            json(row["failure"]),
            optional(row["accepted_at"]),
            optional(row["updated_at"]),
            optional(row["ended_at"]),
            optional(row["deadline"]),
            str(row["partition"]),
            copying.number(row["ended_sequence"]),
            optional(row["shadow_of"]),
            optional(row["replay_of"]),
        )
    )


def execution_line(row: Mapping[str, Any]) -> str:
    """Write a node execution that begins as a line for COPY, without a line break."""
    return "\t".join(
        (
            text(row["run"]),
            text(row["node"]),
            text(row["path"]),
            copying.numbers(row["position"]),
            row["status"],
            optional(row["service"]),
            str(row["attempt"]),
            optional(row["started_at"]),
            optional(row["ended_at"]),
            json(row["output"]),
            json(row["failure"]),
            str(row["sequence"]),
        )
    )
