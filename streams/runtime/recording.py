"""Writing events into the history: one transaction a batch, each statement harmless when repeated."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from streams import predictions
from streams.messages import Event, EventKind
from streams.moments import dated
from streams.records import Place
from streams.runtime import shadows
from streams.wire import Told

STATUS = {
    EventKind.RUN_FINISHED: "finished",
    EventKind.RUN_FAILED: "failed",
    EventKind.RUN_CANCELLED: "cancelled",
    EventKind.STARTED: "running",
    EventKind.WAITING: "waiting",
}
NODE = {
    EventKind.STARTED: "started",
    EventKind.RETRYING: "retrying",
    EventKind.FINISHED: "finished",
    EventKind.SKIPPED: "skipped",
    EventKind.FAILED: "failed",
}
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")

# Whole batches travel as one JSON array each: a statement for each row costs the process several times the row itself.
_EVENTS = """
insert into events (run, sequence, partition, id, kind, node, path, position, attempt, at, data)
select run, sequence, partition, id, kind, node, path, position, attempt, at, data
from jsonb_to_recordset(%s::jsonb)
     as fresh (run text, sequence bigint, partition integer, id uuid, kind text, node text, path text, position integer[],
               attempt integer, at timestamptz, data jsonb, unless uuid)
where not exists (select from runs where runs.run = fresh.run and runs.ended_sequence < fresh.sequence)
  and (unless is null or not exists (select from events e where e.run = fresh.run and e.id = fresh.unless))
order by sequence  -- of two events with one id, the first is the one that readers of the log see
on conflict do nothing returning run, sequence
"""
_CHANGES = """
with changed_runs as (
    insert into runs (run, pipeline, digest, status, waiting_for, input, output, failure, accepted_at, updated_at, ended_at,
                      deadline, partition, ended_sequence, shadow_of, replay_of)
    select run, pipeline, digest, coalesce(status, 'accepted'), waiting_for, input, output, failure, accepted_at, updated_at,
           ended_at, deadline, partition, ended_sequence, shadow_of, replay_of
    from jsonb_to_recordset(%s::jsonb)
         as fresh (run text, pipeline text, digest text, status text, waiting_for text, input jsonb, output jsonb,
                   failure jsonb, accepted_at timestamptz, updated_at timestamptz, ended_at timestamptz,
                   deadline timestamptz, partition integer, ended_sequence bigint, shadow_of text, replay_of text)
    on conflict (run) do update set
        -- No event sets a run back to 'accepted': here it stands for events that say nothing of its status.
        status = case when excluded.status = 'accepted' then runs.status else excluded.status end,
        waiting_for = case when excluded.status = 'accepted' then runs.waiting_for else excluded.waiting_for end,
        input = coalesce(runs.input, excluded.input),
        output = coalesce(excluded.output, runs.output),
        failure = coalesce(excluded.failure, runs.failure),
        accepted_at = coalesce(runs.accepted_at, excluded.accepted_at),
        replay_of = coalesce(runs.replay_of, excluded.replay_of),
        updated_at = greatest(runs.updated_at, excluded.updated_at),
        ended_at = coalesce(excluded.ended_at, runs.ended_at),
        ended_sequence = coalesce(excluded.ended_sequence, runs.ended_sequence)
), changed_executions as (
    insert into node_executions (run, node, path, position, status, service, attempt, started_at, ended_at, output, failure,
                                 sequence)
    select run, node, path, position, status, service, attempt, started_at, ended_at, output, failure, sequence
    from jsonb_to_recordset(%s::jsonb)
         as fresh (run text, node text, path text, position integer[], status text, service text, attempt integer,
                   started_at timestamptz, ended_at timestamptz, output jsonb, failure jsonb, sequence bigint)
    on conflict (run, node, position) do update set
        status = excluded.status,
        service = coalesce(excluded.service, node_executions.service),
        attempt = greatest(excluded.attempt, node_executions.attempt),
        started_at = coalesce(excluded.started_at, node_executions.started_at),
        ended_at = excluded.ended_at,
        output = excluded.output,
        failure = coalesce(excluded.failure, node_executions.failure),
        sequence = excluded.sequence
    where node_executions.sequence < excluded.sequence
)
insert into progress (partition, next_sequence)
select partition, next_sequence from jsonb_to_recordset(%s::jsonb) as fresh (partition integer, next_sequence bigint)
on conflict (partition) do update set next_sequence = excluded.next_sequence, updated_at = now()
"""
_PREDICTIONS = """
insert into predictions (id, run, node, path, service, model, version, input, kept, output, confidence, at)
select id, run, node, path, service, model, version, input, kept, output, confidence, at
from jsonb_to_recordset(%s::jsonb)
     as fresh (id uuid, run text, node text, path text, service text, model text, version text, input text, kept jsonb,
               output jsonb, confidence double precision, at timestamptz)
on conflict do nothing
"""
_NOTICES = """
insert into notices (id, run, pipeline, kind, channel, target, secret)
select id, run, pipeline, kind, channel, target, secret
from jsonb_to_recordset(%s::jsonb)
     as fresh (id uuid, run text, pipeline text, kind text, channel text, target text, secret text)
on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event, and where it stands in the log."""

    told: Told
    place: Place
    offset: int


@dataclass
class _Changes:
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[tuple[str, str, tuple[int, ...]], dict[str, Any]] = field(default_factory=dict)
    predictions: list[dict[str, Any]] = field(default_factory=list)


Notices = Callable[[Event], Iterable[Mapping[str, Any]]]
"""What is to be told of the end of a run: rows of the table `notices`, with ids that are the same each time."""


async def record(
    connection: psycopg.AsyncConnection[Any], batch: Sequence[Recorded], notices: Notices = lambda _: ()
) -> int:
    """Writes a batch in which the events of each partition are in order; how many notices came of it.

    Raises psycopg.Error, and has written nothing then.
    """
    lasting = _before_the_end(batch)
    changes = _Changes()
    async with connection.transaction():
        found = await connection.execute(_EVENTS, [jsonb([_event(one) for one in lasting])], prepare=True)
        fresh = {(row[0], row[1]) for row in await found.fetchall()}
        for one in lasting:
            if (one.told.event.run.id, one.offset) in fresh:
                _fold(changes, one)
        reach = {one.place.partition: one.offset + 1 for one in batch}
        progress = [{"partition": number, "next_sequence": end} for number, end in reach.items()]
        parts = (list(changes.runs.values()), list(changes.executions.values()), progress)
        await connection.execute(_CHANGES, [jsonb(one) for one in parts], prepare=True)
        if changes.predictions:
            await connection.execute(_PREDICTIONS, [jsonb(changes.predictions)], prepare=True)
        ends = [one for one in lasting if one.told.event.kind.terminal and (one.told.event.run.id, one.offset) in fresh]
        told = [row for one in ends if not one.told.event.run.shadow_of for row in notices(one.told.event)]
        if told:
            await connection.execute(_NOTICES, [jsonb(told)], prepare=True)
    ended = sorted({one.told.event.run.id for one in batch if one.told.event.kind.terminal})
    if ended:
        await shadows.compare(connection, ended)
    return len(told)


def _before_the_end(batch: Iterable[Recorded]) -> list[Recorded]:
    """The events that come before the end of their run, and progress before that of its node, where those are here too."""
    ends: dict[str, int] = {}
    over = set[str]()
    lasting = []
    for one in batch:
        event = one.told.event
        if one.offset > ends.get(event.run.id, one.offset):
            continue
        if event.kind is EventKind.PROGRESS and event.end in over:
            continue
        lasting.append(one)
        if event.kind.over:
            over.add(one.told.id)
        if event.kind.terminal:
            ends.setdefault(event.run.id, one.offset)
    return lasting


def _event(one: Recorded) -> dict[str, Any]:
    """The row of an event."""
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
        "at": dated(one.told.at),
        "data": event.data,
        "unless": event.end if event.kind is EventKind.PROGRESS else None,
    }


def _fold(changes: _Changes, one: Recorded) -> None:
    event, at = one.told.event, dated(one.told.at)
    row = changes.runs.setdefault(
        event.run.id,
        {
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
            "deadline": dated(event.run.deadline),
            "partition": one.place.partition,
            "ended_sequence": None,
            "shadow_of": event.run.shadow_of or None,
            "replay_of": None,
        },
    )
    row["updated_at"] = at
    if event.kind is EventKind.ACCEPTED:
        row["accepted_at"] = at
        row["input"] = event.data.get("input")
        row["replay_of"] = event.data.get("replay_of")
    elif event.kind in STATUS:
        row["status"] = STATUS[event.kind]
        row["waiting_for"] = event.data.get("service") if event.kind is EventKind.WAITING else None
    if event.kind.terminal:
        row["ended_at"], row["ended_sequence"] = at, one.offset
        row["output"] = event.data.get("output")
        row["failure"] = None if event.kind is EventKind.RUN_FINISHED else event.data
    if event.kind in NODE:
        _fold_node(changes, one, at)
    if event.kind is EventKind.FINISHED and predictions.KEY in event.data:
        changes.predictions.append(_prediction(one, at))


def _fold_node(changes: _Changes, one: Recorded, at: datetime) -> None:
    event = one.told.event
    row = changes.executions.setdefault(
        (event.run.id, event.vertex, event.at),
        {
            "run": event.run.id,
            "node": event.vertex,
            "path": event.path,
            "position": list(event.at),
            "service": None,
            "attempt": 1,
            "started_at": None,
            "failure": None,
        },
    )
    ended = event.kind in (EventKind.FINISHED, EventKind.SKIPPED, EventKind.FAILED)
    row["status"] = NODE[event.kind]
    row["attempt"] = max(row["attempt"], event.attempt)
    row["service"] = event.data.get("service") or row["service"]
    row["ended_at"] = at if ended else None
    row["output"] = event.data.get("output") if event.kind is EventKind.FINISHED else None
    row["sequence"] = one.offset
    if event.kind is EventKind.STARTED:
        row["started_at"] = at
    if event.kind in (EventKind.FAILED, EventKind.RETRYING):
        row["failure"] = event.data


def _prediction(one: Recorded, at: datetime) -> dict[str, Any]:
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


def jsonb(value: Any) -> str:
    """A value as JSON that PostgreSQL takes: no NaN (null instead), no NUL in texts (U+FFFD instead)."""
    text = msgspec.json.encode(value)
    return (_NUL.sub(rb"\1\\ufffd", text) if b"\\u0000" in text else text).decode()
