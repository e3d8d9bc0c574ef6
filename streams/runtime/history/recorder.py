"""Writing events into the history: one transaction per batch, harmless when repeated.

A batch is first written by COPY, as if none of it were there yet. If some is (the log was read again, or two recorders met),
PostgreSQL refuses the whole, and the batch is written by statements that look for each row first.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import psycopg

from streams.messages import Event, EventKind
from streams.runtime.history import copying, shadows
from streams.runtime.history.copying import jsonb
from streams.runtime.history.folding import (
    EVENT_COLUMNS,
    EXECUTION_COLUMNS,
    RUN_COLUMNS,
    Changes,
    LoggedEvent,
    event_line,
    event_row,
    execution_line,
    fold_events,
    run_line,
)

# A whole batch travels as one JSON array: a statement per row costs the process several times the row itself.
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
_RUNS = """
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
"""
_EXECUTIONS = """
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
"""
_PROGRESS = """
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
_KNOWN = "select run, ended_sequence from runs where run = any(%s)"
_OVER = """
select events.run, events.id from unnest(%s::text[], %s::uuid[]) as asked (run, id) join events using (run, id)
"""
_NOTICES = """
insert into notices (id, run, pipeline, kind, channel, target, secret)
select id, run, pipeline, kind, channel, target, secret
from jsonb_to_recordset(%s::jsonb)
     as fresh (id uuid, run text, pipeline text, kind text, channel text, target text, secret text)
on conflict do nothing
"""


Notices = Callable[[Event], Iterable[Mapping[str, Any]]]
"""Returns the notices of a run's end: rows of the table `notices`, with the same ids each time."""


Write = Callable[["psycopg.AsyncConnection[Any]", list[LoggedEvent]], Awaitable[list[LoggedEvent]]]
"""Writes events and their changes inside a transaction; returns the events that count. Raises UniqueViolation if it cannot."""


async def write_by_copy(connection: psycopg.AsyncConnection[Any], lasting: list[LoggedEvent]) -> list[LoggedEvent]:
    """Write by COPY. Raises UniqueViolation when an event, or a run or execution that begins here, is there already."""
    fresh = await _not_over(connection, lasting)
    changes = fold_events(fresh)
    await copying.copy(connection, "events", EVENT_COLUMNS, map(event_line, fresh))
    begun = [logged.event.run.id for logged in fresh if logged.event.kind is EventKind.ACCEPTED]
    await copying.copy(connection, "runs", RUN_COLUMNS, (run_line(changes.runs.pop(run)) for run in begun))
    executions = (execution_line(changes.executions.pop(place)) for place in changes.begun)
    await copying.copy(connection, "node_executions", EXECUTION_COLUMNS, executions)
    await _change(connection, changes)
    return fresh


async def write_row_by_row(connection: psycopg.AsyncConnection[Any], lasting: list[LoggedEvent]) -> list[LoggedEvent]:
    """Write by statements that look for each row first."""
    cursor = await connection.execute(_EVENTS, [jsonb([event_row(logged) for logged in lasting])], prepare=True)
    places = {(row[0], row[1]) for row in await cursor.fetchall()}
    fresh = [logged for logged in lasting if (logged.event.run.id, logged.offset) in places]
    await _change(connection, fold_events(fresh))
    return fresh


async def record(
    connection: psycopg.AsyncConnection[Any],
    batch: Sequence[LoggedEvent],
    notices: Notices = lambda _: (),
    writes: Sequence[Write] = (write_by_copy, write_row_by_row),
) -> int:
    """Write a batch in which the events of each partition are in order. Returns how many notices were added.

    Tries each of `writes` until one can; all lead to the same history. Raises psycopg.Error, and has written nothing then.
    """
    added = 0
    for write in writes:
        try:
            added = await _write(connection, batch, notices, write)
        except psycopg.errors.UniqueViolation:
            if write is writes[-1]:
                raise
        else:
            break
    ended = sorted({logged.event.run.id for logged in batch if logged.event.kind.terminal})
    if ended:
        await shadows.compare(connection, ended)
    return added


async def _write(
    connection: psycopg.AsyncConnection[Any],
    batch: Sequence[LoggedEvent],
    notices: Notices,
    write: Write,
) -> int:
    async with connection.transaction():
        fresh = await write(connection, _before_the_end(batch))
        reach = {logged.place.partition: logged.offset + 1 for logged in batch}
        progress = [{"partition": number, "next_sequence": end} for number, end in reach.items()]
        await connection.execute(_PROGRESS, [jsonb(progress)], prepare=True)
        ends = [logged.event for logged in fresh if logged.event.kind.terminal]
        rows = [row for event in ends if not event.run.shadow_of for row in notices(event)]
        if rows:
            await connection.execute(_NOTICES, [jsonb(rows)], prepare=True)
    return len(rows)


async def _not_over(connection: psycopg.AsyncConnection[Any], lasting: list[LoggedEvent]) -> list[LoggedEvent]:
    """Drop events of runs that ended before, progress of executions that did, and second beginnings of straight runs.

    A straight run may begin twice in the log: its gateway and its first worker publish that it was accepted.
    """
    accepted = [logged.event for logged in lasting if logged.event.kind is EventKind.ACCEPTED]
    older = {logged.event.run.id for logged in lasting} - {event.run.id for event in accepted if not event.run.straight}
    progress = [logged for logged in lasting if logged.event.kind is EventKind.PROGRESS]
    if not older and not progress:
        return lasting
    cursor = await connection.execute(_KNOWN, [list(older)], prepare=True)
    known: dict[str, int | None] = dict(await cursor.fetchall())
    over = set[tuple[str, str]]()
    if progress:
        events = [logged.event for logged in progress]
        wanted = [[event.run.id for event in events], [event.end for event in events]]
        over = {(run, str(id)) for run, id in await (await connection.execute(_OVER, wanted, prepare=True)).fetchall()}
    return [
        logged
        for logged in lasting
        if not _past(logged, known.get(logged.event.run.id))
        and not (logged.event.kind is EventKind.ACCEPTED and logged.event.run.id in known)
        and not (logged.event.kind is EventKind.PROGRESS and (logged.event.run.id, logged.event.end) in over)
    ]


def _past(logged: LoggedEvent, end: int | None) -> bool:
    """Return whether an event comes after the end of its run; None: it has not ended."""
    return end is not None and logged.offset > end


async def _change(connection: psycopg.AsyncConnection[Any], changes: Changes) -> None:
    """Update runs and executions, or add missing ones; add predictions."""
    if changes.runs:
        await connection.execute(_RUNS, [jsonb(list(changes.runs.values()))], prepare=True)
    if changes.executions:
        await connection.execute(_EXECUTIONS, [jsonb(list(changes.executions.values()))], prepare=True)
    if changes.predictions:
        await connection.execute(_PREDICTIONS, [jsonb(changes.predictions)], prepare=True)


def _before_the_end(batch: Iterable[LoggedEvent]) -> list[LoggedEvent]:
    """Drop repeated events, events after the end of their run, and progress after the end of its node, as far as this batch says."""
    ends: dict[str, int] = {}
    over = set[str]()
    seen = set[tuple[str, str]]()
    lasting = []
    for logged in batch:
        event = logged.event
        if (event.run.id, logged.id) in seen:
            continue
        if logged.offset > ends.get(event.run.id, logged.offset):
            continue
        if event.kind is EventKind.PROGRESS and event.end in over:
            continue
        lasting.append(logged)
        seen.add((event.run.id, logged.id))
        if event.kind.over:
            over.add(logged.id)
        if event.kind.terminal:
            ends.setdefault(event.run.id, logged.offset)
    return lasting
