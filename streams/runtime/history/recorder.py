"""Writing events into the history: one transaction a batch, harmless when repeated.

A batch is first written as if nothing of it were there yet: by COPY, which knows no conflict. Where something is (the log was read
again, or two recorders met), PostgreSQL refuses it whole, and it is written anew by statements that ask for each row.
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
    Recorded,
    event_line,
    event_row,
    execution_line,
    folded,
    run_line,
)

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
_ENDED = "select run, ended_sequence from runs where run = any(%s) and ended_sequence is not null"
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
"""What is to be told of the end of a run: rows of the table `notices`, with ids that are the same each time."""


Way = Callable[["psycopg.AsyncConnection[Any]", list[Recorded]], Awaitable[list[Recorded]]]
"""Writes events and what they change, inside a transaction; which of them count. Raises UniqueViolation where it cannot."""


async def copied(connection: psycopg.AsyncConnection[Any], lasting: list[Recorded]) -> list[Recorded]:
    """By COPY. Raises UniqueViolation where an event, or a run or execution that begins here, is there already."""
    fresh = await _not_over(connection, lasting)
    changes = folded(fresh)
    await copying.copy(connection, "events", EVENT_COLUMNS, map(event_line, fresh))
    begun = [one.told.event.run.id for one in fresh if one.told.event.kind is EventKind.ACCEPTED]
    await copying.copy(connection, "runs", RUN_COLUMNS, (run_line(changes.runs.pop(run)) for run in begun))
    executions = (execution_line(changes.executions.pop(place)) for place in changes.begun)
    await copying.copy(connection, "node_executions", EXECUTION_COLUMNS, executions)
    await _change(connection, changes)
    return fresh


async def asked(connection: psycopg.AsyncConnection[Any], lasting: list[Recorded]) -> list[Recorded]:
    """By statements that look for each row whether it is there."""
    found = await connection.execute(_EVENTS, [jsonb([event_row(one) for one in lasting])], prepare=True)
    places = {(row[0], row[1]) for row in await found.fetchall()}
    fresh = [one for one in lasting if (one.told.event.run.id, one.offset) in places]
    await _change(connection, folded(fresh))
    return fresh


async def record(
    connection: psycopg.AsyncConnection[Any],
    batch: Sequence[Recorded],
    notices: Notices = lambda _: (),
    ways: Sequence[Way] = (copied, asked),
) -> int:
    """Writes a batch in which the events of each partition are in order; how many notices came of it.

    Of the ways the first is taken that can; they lead to the same history. Raises psycopg.Error, and has written nothing then.
    """
    told = 0
    for way in ways:
        try:
            told = await _written(connection, batch, notices, way)
        except psycopg.errors.UniqueViolation:
            if way is ways[-1]:
                raise
        else:
            break
    ended = sorted({one.told.event.run.id for one in batch if one.told.event.kind.terminal})
    if ended:
        await shadows.compare(connection, ended)
    return told


async def _written(
    connection: psycopg.AsyncConnection[Any],
    batch: Sequence[Recorded],
    notices: Notices,
    write: Way,
) -> int:
    async with connection.transaction():
        fresh = await write(connection, _before_the_end(batch))
        reach = {one.place.partition: one.offset + 1 for one in batch}
        progress = [{"partition": number, "next_sequence": end} for number, end in reach.items()]
        await connection.execute(_PROGRESS, [jsonb(progress)], prepare=True)
        ends = [one.told.event for one in fresh if one.told.event.kind.terminal]
        told = [row for event in ends if not event.run.shadow_of for row in notices(event)]
        if told:
            await connection.execute(_NOTICES, [jsonb(told)], prepare=True)
    return len(told)


async def _not_over(connection: psycopg.AsyncConnection[Any], lasting: list[Recorded]) -> list[Recorded]:
    """Without events of runs that were over before, and progress of executions that were."""
    begun = {one.told.event.run.id for one in lasting if one.told.event.kind is EventKind.ACCEPTED}
    older = {one.told.event.run.id for one in lasting} - begun
    progress = [one for one in lasting if one.told.event.kind is EventKind.PROGRESS]
    if not older and not progress:
        return lasting
    found = await connection.execute(_ENDED, [list(older)], prepare=True)
    ends: dict[str, int] = dict(await found.fetchall())
    over = set[tuple[str, str]]()
    if progress:
        events = [one.told.event for one in progress]
        asked = [[event.run.id for event in events], [event.end for event in events]]
        over = {(run, str(id)) for run, id in await (await connection.execute(_OVER, asked, prepare=True)).fetchall()}
    return [
        one
        for one in lasting
        if one.offset <= ends.get(one.told.event.run.id, one.offset)
        and not (one.told.event.kind is EventKind.PROGRESS and (one.told.event.run.id, one.told.event.end) in over)
    ]


async def _change(connection: psycopg.AsyncConnection[Any], changes: Changes) -> None:
    """Changes runs and executions, or adds those that are not there; adds predictions."""
    if changes.runs:
        await connection.execute(_RUNS, [jsonb(list(changes.runs.values()))], prepare=True)
    if changes.executions:
        await connection.execute(_EXECUTIONS, [jsonb(list(changes.executions.values()))], prepare=True)
    if changes.predictions:
        await connection.execute(_PREDICTIONS, [jsonb(changes.predictions)], prepare=True)


def _before_the_end(batch: Iterable[Recorded]) -> list[Recorded]:
    """The events that come before the end of their run, and progress before that of its node, where those are here too; each once."""
    ends: dict[str, int] = {}
    over = set[str]()
    seen = set[tuple[str, str]]()
    lasting = []
    for one in batch:
        event = one.told.event
        if (event.run.id, one.told.id) in seen:
            continue
        if one.offset > ends.get(event.run.id, one.offset):
            continue
        if event.kind is EventKind.PROGRESS and event.end in over:
            continue
        lasting.append(one)
        seen.add((event.run.id, one.told.id))
        if event.kind.over:
            over.add(one.told.id)
        if event.kind.terminal:
            ends.setdefault(event.run.id, one.offset)
    return lasting
