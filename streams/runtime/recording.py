"""Writing events into the history: one transaction a batch, each statement harmless when repeated."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg

from streams.messages import EventKind
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

_EVENTS = """
insert into events (run, sequence, partition, id, kind, node, path, position, attempt, at, data)
select run, sequence, partition, id, kind, node, path, position::integer[], attempt, at, data
from unnest(%s::text[], %s::bigint[], %s::integer[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::integer[], %s::timestamptz[], %s::jsonb[])
     as fresh (run, sequence, partition, id, kind, node, path, position, attempt, at, data)
on conflict do nothing returning run, sequence
"""
_RUN = """
insert into runs (run, pipeline, digest, status, waiting_for, input, output, failure, accepted_at, updated_at, ended_at,
                  deadline, partition, ended_sequence, shadow_of, replay_of)
values (%(run)s, %(pipeline)s, %(digest)s, coalesce(%(status)s, 'accepted'), %(waiting_for)s, %(input)s, %(output)s,
        %(failure)s, %(accepted_at)s, %(updated_at)s, %(ended_at)s, %(deadline)s, %(partition)s, %(ended_sequence)s,
        %(shadow_of)s, %(replay_of)s)
on conflict (run) do update set
    status = coalesce(%(status)s, runs.status),
    waiting_for = case when %(status)s::text is null then runs.waiting_for else excluded.waiting_for end,
    input = coalesce(runs.input, excluded.input),
    output = coalesce(excluded.output, runs.output),
    failure = coalesce(excluded.failure, runs.failure),
    accepted_at = coalesce(runs.accepted_at, excluded.accepted_at),
    replay_of = coalesce(runs.replay_of, excluded.replay_of),
    updated_at = greatest(runs.updated_at, excluded.updated_at),
    ended_at = coalesce(excluded.ended_at, runs.ended_at),
    ended_sequence = coalesce(excluded.ended_sequence, runs.ended_sequence)
"""
_EXECUTION = """
insert into node_executions (run, node, path, position, status, service, attempt, started_at, ended_at, output, failure, sequence)
values (%(run)s, %(node)s, %(path)s, %(position)s, %(status)s, %(service)s, %(attempt)s, %(started_at)s, %(ended_at)s,
        %(output)s, %(failure)s, %(sequence)s)
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
"""
_PROGRESS = """
insert into progress (partition, next_sequence) values (%(partition)s, %(next)s)
on conflict (partition) do update set next_sequence = excluded.next_sequence, updated_at = now()
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


async def record(connection: psycopg.AsyncConnection[Any], batch: Sequence[Recorded]) -> None:
    """Writes a batch in which the events of each partition are in order. Raises psycopg.Error, and has written nothing then."""
    async with connection.transaction():
        lasting = await _before_the_end(connection, batch)
        changes = _Changes()
        async with connection.cursor() as cursor:
            if lasting:
                await cursor.execute(_EVENTS, [list(column) for column in zip(*map(_event, lasting), strict=True)])
                fresh = {(row[0], row[1]) for row in await cursor.fetchall()}
                for one in lasting:
                    if (one.told.event.run.id, one.offset) in fresh:
                        _fold(changes, one)
            if changes.runs:
                await cursor.executemany(_RUN, list(changes.runs.values()))
            if changes.executions:
                await cursor.executemany(_EXECUTION, list(changes.executions.values()))
            ends = {one.place.partition: one.offset + 1 for one in batch}
            await cursor.executemany(_PROGRESS, [{"partition": number, "next": end} for number, end in ends.items()])
    ended = sorted({one.told.event.run.id for one in batch if one.told.event.kind.terminal})
    if ended:
        await shadows.compare(connection, ended)


async def _before_the_end(connection: psycopg.AsyncConnection[Any], batch: Iterable[Recorded]) -> list[Recorded]:
    """The events that are part of their run: none of them comes after its last one."""
    batch = list(batch)
    runs = sorted({one.told.event.run.id for one in batch})
    found = await connection.execute(
        "select run, ended_sequence from runs where run = any(%s) and ended_sequence is not null", (runs,)
    )
    ends: dict[str, int] = {row[0]: row[1] for row in await found.fetchall()}
    lasting = []
    for one in batch:
        run = one.told.event.run.id
        if one.offset > ends.get(run, one.offset):
            continue
        lasting.append(one)
        if one.told.event.kind.terminal:
            ends.setdefault(run, one.offset)
    return lasting


def _event(one: Recorded) -> tuple[object, ...]:
    """The values of an event, in the order of the columns of `_EVENTS`."""
    event = one.told.event
    return (
        event.run.id,
        one.offset,
        one.place.partition,
        one.told.id,
        event.kind.value,
        event.vertex,
        event.path,
        f"{{{','.join(map(str, event.at))}}}",
        event.attempt,
        _time(one.told.at),
        jsonb(event.data),
    )


def _fold(changes: _Changes, one: Recorded) -> None:
    event, at = one.told.event, _time(one.told.at)
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
            "deadline": _time(event.run.deadline),
            "partition": one.place.partition,
            "ended_sequence": None,
            "shadow_of": event.run.shadow_of or None,
            "replay_of": None,
        },
    )
    row["updated_at"] = at
    if event.kind is EventKind.ACCEPTED:
        row["accepted_at"] = at
        row["input"] = _optional(event.data, "input")
        row["replay_of"] = event.data.get("replay_of")
    elif event.kind in STATUS:
        row["status"] = STATUS[event.kind]
        row["waiting_for"] = event.data.get("service") if event.kind is EventKind.WAITING else None
    if event.kind.terminal:
        row["ended_at"], row["ended_sequence"] = at, one.offset
        row["output"] = _optional(event.data, "output")
        row["failure"] = None if event.kind is EventKind.RUN_FINISHED else jsonb(event.data)
    if event.kind in NODE:
        _fold_node(changes, one, at)


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
    row["output"] = _optional(event.data, "output") if event.kind is EventKind.FINISHED else None
    row["sequence"] = one.offset
    if event.kind is EventKind.STARTED:
        row["started_at"] = at
    if event.kind in (EventKind.FAILED, EventKind.RETRYING):
        row["failure"] = jsonb(event.data)


def _optional(data: Mapping[str, Any], name: str) -> str | None:
    return jsonb(data[name]) if name in data else None


def jsonb(value: Any) -> str:
    """A value as JSON that PostgreSQL takes: no NaN (null instead), no NUL in texts (U+FFFD instead)."""
    return _NUL.sub(rb"\1\\ufffd", msgspec.json.encode(value)).decode()


def _time(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)
