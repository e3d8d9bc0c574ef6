"""Two ways of writing events, one history: what is copied in batches is what statements that ask for each row would write."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from streams.datasets.predictions import KEY
from streams.messages import Event, EventKind, Run
from streams.runtime.history import tables as history
from streams.runtime.history.folding import LoggedEvent
from streams.runtime.history.recorder import Write, record, write_by_copy, write_row_by_row
from streams.settings import Settings
from streams.wire.codec import SentEvent
from streams.wire.records import Place
from tests.integration.history.test_history import inside, schema

TEXTS = ("plain", "a\ttab", "two\nlines", "back\\slash \\n", "nul \0 and \\u0000", "ü€😀", "{}", "\\N", "\r")
TABLES = {
    "runs": "run",
    "events": "run, sequence",
    "node_executions": "run, node, position",
    "predictions": "id",
    "notices": "id",
}


def story(draw: random.Random, run: Run) -> list[Event]:
    """What may happen in a run: attempts, progress, items, and an end, or none yet."""
    text = draw.choice(TEXTS)
    events = [Event(run, EventKind.ACCEPTED, data={"input": {"text": text, "n": float("nan")}, "replay_of": None})]
    for at in [(), *((index,) for index in range(draw.randrange(3)))]:
        path = f"{text}{list(at)}"

        def node_event(kind: EventKind, attempt: int, data: Any, at: tuple[int, ...] = at, path: str = path) -> Event:
            return Event(run, kind, "a", at, path, attempt, data)

        attempts = draw.randint(1, 3)
        for attempt in range(1, attempts):
            events += [
                node_event(EventKind.STARTED, attempt, {"service": "s"}),
                node_event(EventKind.RETRYING, attempt, {"reason": text}),
            ]
        events += [
            node_event(EventKind.STARTED, attempts, {"service": "s"}),
            node_event(EventKind.PROGRESS, attempts, {"number": 1}),
        ]
        output = {"model": "m", "model_version": "1", "label": text}
        about = {"service": "s", "input": "c" * 64}
        end = draw.choice(
            [
                node_event(EventKind.FINISHED, attempts, {"output": output, KEY: about}),
                node_event(EventKind.FINISHED, attempts, {"output": {"text": text}}),
                node_event(EventKind.FAILED, attempts, {"reason": text}),
                node_event(EventKind.SKIPPED, attempts, {"reason": text}),
            ]
        )
        events += [end, node_event(EventKind.PROGRESS, attempts, {"number": 2})]  # of a worker that is late
    events.append(Event(run, EventKind.WAITING, "b", (), "b", 1, {"service": "nobody"}))
    ends = (EventKind.RUN_FINISHED, EventKind.RUN_FAILED, EventKind.RUN_CANCELLED)
    for kind in draw.choices(ends, k=draw.randrange(3)):  # the first one counts
        events.append(Event(run, kind, data={"output": {"text": text}} if kind is ends[0] else {"reason": text}))
    if draw.random() < 0.3:
        events.append(Event(run, EventKind.STARTED, "late", (), "late", 1, {"service": "s"}))
    return events


def log(draw: random.Random) -> list[LoggedEvent]:
    """A partition in which runs go on beside each other, and some events are sent again later."""
    stories = [story(draw, Run(f"run {number}", "p\t", "d" * 64, 1e308 if number else 2e9)) for number in range(6)]
    events: list[Event] = []
    while any(stories):
        events.append(draw.choice([events_left for events_left in stories if events_left]).pop(0))
        if draw.random() < 0.15:
            events.append(draw.choice(events))
    return [
        LoggedEvent(SentEvent(event, event.id, 1.7e9 + number / 7), Place("run.events", 3), number)
        for number, event in enumerate(events)
    ]


def batches(draw: random.Random, events: Sequence[LoggedEvent]) -> list[Sequence[LoggedEvent]]:
    """The log in pieces; where a recorder died, some are read again."""
    pieces: list[Sequence[LoggedEvent]] = []
    at = 0
    while at < len(events):
        size = draw.choice((1, 3, 20))
        pieces.append(events[at : at + size])
        at += size
        if draw.random() < 0.2:
            at = max(0, at - draw.randrange(30))
    return pieces


def notices(event: Event) -> list[dict[str, Any]]:
    """One notice an end."""
    place = uuid.uuid5(uuid.NAMESPACE_URL, event.run.id)
    return [
        {
            "id": str(place),
            "run": event.run.id,
            "pipeline": event.run.pipeline,
            "kind": event.kind.value,
            "channel": "email",
            "target": "ops@example.com",
            "secret": "",
        }
    ]


async def written(
    settings: Settings, name: str, pieces: Sequence[Sequence[LoggedEvent]], writes: Sequence[Write]
) -> dict[str, list[Any]]:
    """The tables after these batches."""
    connection = await inside(settings, name)
    async with connection:
        await history.ensure(connection)
        for piece in pieces:
            await record(connection, piece, notices, writes)
        tables = {}
        for table, order in TABLES.items():
            by_time = ", made_at" if table == "notices" else ""
            query = f"select to_jsonb({table}) - 'made_at' - 'due' from {table} order by {order}{by_time}"  # noqa: S608
            tables[table] = await (await connection.execute(query.encode())).fetchall()
        query = "select partition, next_sequence from progress"
        tables["progress"] = await (await connection.execute(query.encode())).fetchall()
        return tables


@pytest.mark.parametrize("seed", range(12))
def test_copying_writes_the_same_rows_as_inserting(settings: Settings, seed: int) -> None:
    """Whatever comes twice, late or after the end, and wherever batches are cut."""

    async def main() -> None:
        draw = random.Random(seed)
        events = log(draw)
        pieces = batches(draw, events)
        async with schema(settings) as first_schema, schema(settings) as other:
            fast = await written(settings, first_schema, pieces, (write_by_copy, write_row_by_row))
            slow = await written(settings, other, [[event] for event in events], (write_row_by_row,))
            assert fast["events"]
            for table, rows in slow.items():
                assert fast[table] == rows, table

    asyncio.run(main())


def test_a_batch_of_what_is_new_needs_no_asking(settings: Settings) -> None:
    """The way that asks is for what comes again: the same batch is refused by the other then, and nothing of it stays."""

    async def main() -> None:
        run = Run("r", "p", "d" * 64, 2e9)
        events = [
            Event(run, EventKind.ACCEPTED, data={"input": {}}),
            Event(run, EventKind.RUN_FINISHED, data={"output": {}}),
        ]
        batch = [
            LoggedEvent(SentEvent(event, event.id, 1.7e9), Place("run.events", 0), at)
            for at, event in enumerate(events)
        ]
        async with schema(settings) as name:
            connection: psycopg.AsyncConnection[Any] = await inside(settings, name)
            async with connection:
                await history.ensure(connection)
                await record(connection, batch, writes=(write_by_copy,))
                with pytest.raises(psycopg.errors.UniqueViolation):
                    await record(connection, batch, writes=(write_by_copy,))
                await record(connection, batch)
                cursor = await connection.execute("select status, ended_sequence from runs")
                assert await cursor.fetchall() == [("finished", 1)]

    asyncio.run(main())
