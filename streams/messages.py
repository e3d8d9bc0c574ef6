"""The messages: frozen values that `advance` and `flow` make and read. No wire format, no Kafka, no clock here."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streams.lifecycle import Ending as Ending
from streams.lifecycle import EventKind as EventKind

Value = Any
"""A JSON-like value: None, bool, int, float, str, list, dict with string keys. A ref is a dict with the five fields of `Ref`."""

At = tuple[int, ...]
"""Positions in the enclosing loops, outermost first; with a vertex id it names one node execution."""

NAMESPACE = uuid.UUID("6d1f5a0e-9f0f-5d52-8a0e-3b6f0c5a7c11")
_NAMESPACE = NAMESPACE.bytes


def run_id(text: str) -> str:
    """Return the form in which a run's id is stored, keyed and looked up, from any form of a UUID. Raises ValueError."""
    return str(uuid.UUID(text))


class Status(StrEnum):
    """How a node execution ended, as a token says it."""

    VALUE = "value"
    SKIPPED = "skipped"
    FAILED = "failed"


class Fault(StrEnum):
    """Whose fault a failure is; it decides whether another attempt can help."""

    CALLER = "caller"  # the input cannot be served: a broken image, an area outside; never retried
    SERVICE = "service"  # the service failed or ran out of time or memory: retried
    PIPELINE = "pipeline"  # an expression failed or gave a value of the wrong type: never retried
    DROPPED = "dropped"  # not started, because its run was already ending


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a node failed. `path` is the printed place (`faces[3].thumb`)."""

    reason: str
    fault: Fault
    path: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """Earlier outputs that something downstream still references, by context key; `skipped` are known to be absent."""

    values: Mapping[str, Value] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Run:
    """What every message of a run carries: its id, its pinned topology and when it must have ended (epoch seconds)."""

    id: str
    pipeline: str
    digest: str
    deadline: float
    shadow_of: str = ""
    """The run whose request this one repeats on a version on trial; its result is not sent to anyone."""
    straight: bool = False
    """Whether it is begun where it was asked for, and ended by its last agent; flow learns of it from the log."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt of a service ended: exactly one of value (status VALUE) and failure (status FAILED)."""

    status: Status
    value: Value = None
    failure: Failure | None = None
    after: float = 0.0  # seconds that the next attempt waits at least
    about: Mapping[str, Value] = field(default_factory=dict)  # what the event of its end says besides a value


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of one service node execution; goes to `task.<service>.v<major>`, keyed by run and path."""

    run: Run
    vertex: str
    at: At
    path: str
    service: str
    major: int
    input: Mapping[str, Value]
    context: Context
    attempt: int = 1
    timeout: float | None = None  # seconds for this attempt; None: the service's own limit
    executions: int = (
        0  # nodes, rounds and items that led here and that flow has not counted; so in all messages for it
    )
    said: "tuple[Event, ...]" = ()
    """Events that are not published yet: the worker that does the task publishes them before its own."""


@dataclass(frozen=True, slots=True)
class Retry:
    """A task to be tried again after `delay` seconds; goes to the tier of that delay."""

    task: Task
    delay: float


@dataclass(frozen=True, slots=True)
class JoinToken:
    """What one edge hands to a join; exactly one per (run, join, at, edge). Goes to `flow.tokens`."""

    run: Run
    join: str
    at: At
    edge: str
    status: Status
    context: Context
    failure: Failure | None = None
    said: "tuple[Event, ...]" = ()
    """Earlier events that are not published yet: flow publishes them, in the order in which it takes tokens."""
    executions: int = 0


@dataclass(frozen=True, slots=True)
class LoopOpened:
    """A loop with at least one item begins: its items, what the body reads, what is read after the loop."""

    run: Run
    loop: str
    at: At
    items: tuple[Value, ...]
    body: Context
    after: Context
    executions: int = 0


@dataclass(frozen=True, slots=True)
class LoopItemDone:
    """One item of a loop has ended; exactly one per (run, loop, at, index)."""

    run: Run
    loop: str
    at: At
    index: int
    status: Status
    value: Value = None
    failure: Failure | None = None
    said: "tuple[Event, ...]" = ()
    """Earlier events that are not published yet, as for a JoinToken."""
    executions: int = 0


@dataclass(frozen=True, slots=True)
class StopSignal:
    """Cancel a run or end it at its deadline; with `join`, stop waiting at that join only."""

    run: str
    ending: Ending
    join: str | None = None
    at: At = ()


@dataclass(frozen=True, slots=True)
class RunBegan:
    """A straight run begins: its first event was read from the log. Flow tells itself so; nobody sends it."""

    run: Run


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run ends: a last event of it was read from the log, where the first one counts. Nobody sends it."""

    event: "Event"


@dataclass(frozen=True, slots=True)
class RunLasts:
    """A straight run is open for so long that flow should write it down, to acknowledge its first event. Nobody sends it."""

    run: str


@dataclass(frozen=True, slots=True)
class Start:
    """A request, checked against the pipeline's input: opens the run (first write wins). `refused` ends it where it begins."""

    run: Run
    input: Mapping[str, Value]
    source: str = ""  # where it came from: the record's topic, partition and offset
    reused: Mapping[tuple[str, At], Value] = field(default_factory=dict)
    """What services returned in the run that this one repeats, by vertex and position: they are not called again."""
    origin: Mapping[str, Value] = field(default_factory=dict)
    """What its first event says about where it comes from."""
    refused: Failure | None = None


FlowMessage = Start | JoinToken | LoopOpened | LoopItemDone | StopSignal
"""What others send to flow: the records of `flow.tokens`."""

LogMessage = RunBegan | RunEnded | RunLasts
"""What flow makes itself of records of the log; it is never sent."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run; goes to `run.events`, keyed by run."""

    run: Run
    kind: EventKind
    vertex: str = ""  # static id; "" for events of the run
    at: At = ()
    path: str = ""
    attempt: int = 0
    data: Mapping[str, Value] = field(default_factory=dict)
    time: float = field(default=0.0, compare=False)  # when it happened, in epoch seconds; 0: when it is sent

    @property
    def id(self) -> str:
        """The event's id, made of what happened: an event that is sent again has the same id.

        A run ends once, and so does a node execution: readers keep the end that is published first. A task that is
        delivered again while its run is being aborted is dropped, though it was done before. Of what one attempt says of its
        progress there is much: each report has its number, and one that differs from an earlier delivery counts.
        """
        if self.kind.over:
            return self.end
        kind = "run.ended" if self.kind.terminal else self.kind
        said = _digest(self.data) if self.kind is EventKind.PROGRESS else ""
        return message_id(self.run.id, kind, self.vertex, self.at, self.attempt, said)

    @property
    def end(self) -> str:
        """The id of the end of its node execution: later events of the same execution are not published."""
        return node_end_id(self.run.id, self.vertex, self.at)


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a run for other systems; goes to `pipeline.<name>.results`."""

    run: Run
    kind: EventKind
    output: Mapping[str, Value] | None = None
    failure: Failure | None = None


class Action(StrEnum):
    """What workers are ordered to do about a run."""

    CANCEL = "cancel"  # asked by a client: flow ends the run
    ABORT = "abort"  # said by flow: drop what has not started, stop what has


@dataclass(frozen=True, slots=True)
class Control:
    """Goes to `run.control`, keyed by run."""

    run: str
    action: Action


Message = Task | Retry | JoinToken | LoopOpened | LoopItemDone | Event | Result | Control


def message_id(run: str, kind: str, place: str, at: At, attempt: int = 0, edge: str = "") -> str:
    """Return a deterministic id (RFC 9562's version 5) of a message by (run, kind, from, edge, path, attempt)."""
    name = "\0".join((run, kind, place, ".".join(map(str, at)), edge, str(attempt)))
    # As uuid5 does it, without the object: every message has one, and the object costs more than the hash.
    digest = bytearray(hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def node_end_id(run: str, vertex: str, at: At) -> str:
    """Return the id of the event that ends a node execution, whether it finished, was skipped or failed."""
    return message_id(run, "node.ended", vertex, at)


def _digest(data: Mapping[str, Value]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
