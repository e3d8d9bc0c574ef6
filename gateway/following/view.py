"""A run as a client sees it: its events folded into its state and the state of every node execution."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.api.links import links
from gateway.api.problems import Fault, Kind, Problem
from streams.lifecycle import DEADLINE_PASSED, RUN_ENDS, EventKind, RunStatus, node_status, run_status

NODES = 1000
"""Node executions that one answer lists, at most; the counts are of all."""

_ENVELOPE = frozenset({"run", "event", "node", "path", "at", "attempt", "pipeline", "digest"})
"""Members of every event; the others are the data that it carries."""

_FAILED = {
    "caller": Kind.RUN_REFUSED,
    "service": Kind.RUN_FAILED,
    "dropped": Kind.RUN_FAILED,
    "pipeline": Kind.RUN_BROKEN,
    "deadline": Kind.RUN_LATE,
}
"""The HTTP status of a failed run by whose fault it was, so that clients that look at the status alone are right: an input
that cannot be served is the caller's (422), an expression that fails is the installation's own (500), a service that
fails is something behind this gateway (502), a deadline passed is a timeout (504)."""


@dataclass
class RunView:
    """The state of a run after the events folded so far."""

    run: str
    status: RunStatus = RunStatus.ACCEPTED
    pipeline: str | None = None
    digest: str | None = None
    waiting_for: str | None = None
    accepted_at: str | None = None
    ended_at: str | None = None
    input: Any = None
    output: Any = None
    failure: Mapping[str, Any] | None = None
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: int = 0
    origin: dict[str, Any] = field(default_factory=dict)
    """The run that it repeats, where it does."""

    def fold(self, events: Iterable[Mapping[str, Any]]) -> "RunView":
        """Fold the next events, as clients get them, and return the view."""
        for event in events:
            self.events += 1
            self.pipeline = event.get("pipeline") or self.pipeline
            self.digest = event.get("digest") or self.digest
            kind = EventKind(event["event"])
            self.status = run_status(self.status, kind) or self.status
            if kind is EventKind.PROGRESS:
                self._progress(event)
            elif kind.of_node:
                self._node(kind, event)
            else:
                self._run(kind, event)
        return self

    def _run(self, kind: EventKind, event: Mapping[str, Any]) -> None:
        self.waiting_for = event.get("service") if kind is EventKind.WAITING else None
        if kind is EventKind.ACCEPTED:
            self.accepted_at = event["at"]
            self.input = event.get("input")
            self.origin = {name: event[name] for name in ("replay_of", "replay", "shadow_of") if event.get(name)}
        if kind.terminal:
            self.ended_at = event["at"]
            self.output = event.get("output")
            if kind is not EventKind.RUN_FINISHED:
                self.failure = _data(event)

    def _node(self, kind: EventKind, event: Mapping[str, Any]) -> None:
        self.waiting_for = None
        node = self.nodes.setdefault(event["path"], {"node": event["node"], "path": event["path"]})
        node["status"] = node_status(node.get("status"), kind)
        node.pop("progress", None)  # of an attempt that has ended
        node["attempt"] = event.get("attempt", node.get("attempt", 1))
        for name in ("service", "input"):
            if name in event:
                node[name] = event[name]
        if kind is EventKind.STARTED:
            node["started_at"] = event["at"]
        elif kind is EventKind.RETRYING:
            node["retry"] = _data(event)
            node["retrying_at"] = event["at"]
        else:
            node["ended_at"] = event["at"]
            node["seconds"] = _seconds(node.get("started_at"), event["at"])
            node.pop("retry", None)
            node.pop("retrying_at", None)
            node.update(_data(event))

    def _progress(self, event: Mapping[str, Any]) -> None:
        """Keep the newest progress of a node until the node ends."""
        node = self.nodes.setdefault(event["path"], {"node": event["node"], "path": event["path"]})
        node["status"] = node_status(node.get("status"), EventKind.PROGRESS)
        node["progress"] = {name: value for name, value in _data(event).items() if name != "service"}

    def to_json(self) -> dict[str, Any]:
        """Return the whole state."""
        counts: dict[str, int] = {}
        for node in self.nodes.values():
            counts[node["status"]] = counts.get(node["status"], 0) + 1
        document = self.summary()
        document.update(
            input=self.input,
            output=self.output,
            failure=self.failure,
            counts=counts,
            nodes=list(self.nodes.values())[:NODES],
            events=self.events,
        )
        if len(self.nodes) > NODES:
            document["truncated"] = {"listed": NODES, "all": len(self.nodes)}
        return document

    def summary(self) -> dict[str, Any]:
        """Return what lists of runs show."""
        return {
            "id": self.run,
            "pipeline": self.pipeline,
            "digest": self.digest,
            "status": self.status,
            "waiting_for": self.waiting_for,
            "accepted_at": self.accepted_at,
            "ended_at": self.ended_at,
            "seconds": _seconds(self.accepted_at, self.ended_at),
            **self.origin,
            "links": links(self.run),
        }


def result(run: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result in a run's last event. Raises Problem for a run that failed or was cancelled (see _FAILED)."""
    kind = EventKind(event["event"])
    if kind is EventKind.RUN_FINISHED:
        return {"id": run, "status": RUN_ENDS[kind], "output": event.get("output"), "links": links(run)}
    data = _data(event)
    failure = data["failure"] if isinstance(data.get("failure"), Mapping) else data
    extra = {"id": run, "run_status": RUN_ENDS[kind], "failure": failure, "links": links(run)}
    reason = str(failure.get("reason") or "no reason is known")
    if kind is EventKind.RUN_CANCELLED:
        # Most reasons begin with it: "cancelled", "cancelled before it began".
        detail = f"The run was {reason}." if reason.startswith("cancelled") else f"The run was cancelled: {reason}"
        raise Problem(Kind.RUN_CANCELLED, detail, extra=extra)
    place = str(failure.get("where") or failure.get("path") or "")
    fault = "deadline" if reason == DEADLINE_PASSED else str(failure.get("fault"))
    raise Problem(
        _FAILED.get(fault, Kind.RUN_FAILED),
        f"{place}: {reason}" if place else reason,
        [Fault(place, reason, str(failure.get("hint") or ""))],
        extra=extra,
    )


def _data(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in _ENVELOPE}


def _seconds(start: str | None, end: str | None) -> float | None:
    if start is None or end is None:
        return None
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 3)
