"""What events change in the history, taken together: one row a run and one a node execution, however many events came of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.datasets import predictions
from streams.lifecycle import NODE_ENDS, RUN_ENDS, EventKind, NodeStatus, RunStatus
from streams.messages import Event
from streams.runtime.history import copying
from streams.runtime.history.copying import json, optional, stamp, text
from streams.wire.codec import Told
from streams.wire.records import Place


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event, and where it stands in the log."""

    told: Told
    place: Place
    offset: int


@dataclass
class Changes:
    """Rows by what they are of, as the tables have them; times as text."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[tuple[str, str, tuple[int, ...]], dict[str, Any]] = field(default_factory=dict)
    begun: list[tuple[str, str, tuple[int, ...]]] = field(default_factory=list)
    """Executions whose first attempt begins here: nothing of them was before."""
    predictions: list[dict[str, Any]] = field(default_factory=list)


_RUN_STATUS = {EventKind.STARTED: RunStatus.RUNNING, EventKind.WAITING: RunStatus.WAITING, **RUN_ENDS}
"""The status that an event gives its run. A batch does not know the status before it, so only what is certain is here: other
events of nodes may come after the run's end."""

_NODE_STATUS = {EventKind.STARTED: NodeStatus.STARTED, EventKind.RETRYING: NodeStatus.RETRYING, **NODE_ENDS}
"""The status that an event gives its node execution."""


def folded(events: Iterable[Recorded]) -> Changes:
    """What these events change, in their order."""
    changes = Changes()
    for one in events:
        _fold(changes, one)
    return changes


def _fold(changes: Changes, one: Recorded) -> None:
    event, at = one.told.event, stamp(one.told.at)
    kind, status = event.kind, _RUN_STATUS.get(event.kind)
    row = changes.runs.get(event.run.id)
    if row is None:
        row = changes.runs[event.run.id] = _run(event, one.place.partition)
    row["updated_at"] = at
    if kind is EventKind.ACCEPTED:
        row["accepted_at"] = at
        row["input"] = event.data.get("input")
        row["replay_of"] = event.data.get("replay_of")
    elif status:
        row["status"] = status.value
        row["waiting_for"] = event.data.get("service") if kind is EventKind.WAITING else None
    if kind in _NODE_STATUS:
        _fold_node(changes, one, at, _NODE_STATUS[kind])
        if kind is EventKind.FINISHED and predictions.KEY in event.data:
            changes.predictions.append(_prediction(one, at))
    elif kind.terminal:
        row["ended_at"], row["ended_sequence"] = at, one.offset
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


def _fold_node(changes: Changes, one: Recorded, at: str, status: NodeStatus) -> None:
    event = one.told.event
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
    row["sequence"] = one.offset
    if kind is EventKind.STARTED:
        row["started_at"] = at
    if kind is EventKind.FAILED or kind is EventKind.RETRYING:
        row["failure"] = event.data


def _prediction(one: Recorded, at: str) -> dict[str, Any]:
    event = one.told.event
    output, about = event.data["output"], event.data[predictions.KEY]
    return {
        "id": one.told.id,
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


def event_row(one: Recorded) -> dict[str, Any]:
    """An event as a row, and as `unless` the id of what it must not come after."""
    event = one.told.event
    return {
        "run": event.run.id,
        "sequence": one.offset,
        "partition": one.place.partition,
        "id": one.told.id,
        "kind": event.kind.value,
        "node": event.vertex,
        "path": event.path,
        "position": event.at,
        "attempt": event.attempt,
        "at": stamp(one.told.at),
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


def event_line(one: Recorded) -> str:
    """An event."""
    event, told = one.told.event, one.told
    position = copying.numbers(event.at) if event.at else "{}"
    return (
        f"{text(event.run.id)}\t{one.offset}\t{one.place.partition}\t{text(told.id)}\t{event.kind.value}\t"
        f"{text(event.vertex)}\t{text(event.path)}\t{position}\t{event.attempt}\t{stamp(told.at)}\t{json(event.data)}"
    )


def run_line(row: Mapping[str, Any]) -> str:
    """A run that begins."""
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
    """A node execution that begins."""
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
