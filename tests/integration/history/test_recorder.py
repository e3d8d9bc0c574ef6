"""The recorder: every event of every run in PostgreSQL, once, in order, also when PostgreSQL was away."""

import asyncio
import contextlib
import dataclasses
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.rows import dict_row

from streams.messages import Event, EventKind, Run
from streams.settings import Settings
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.tcp_proxy import TcpProxy
from tests.integration.support.waiting import until

RUN = Run("", "demo", "d" * 64, 2_000_000_000.0)


@contextlib.asynccontextmanager
async def recording(
    settings: Settings, folder: Path, **environ: str
) -> AsyncIterator[tuple[RuntimeHarness, TcpProxy, "psycopg.AsyncConnection[Any]"]]:
    """A runtime harness whose worker records into a schema of its own, through a proxy."""
    schema = f"t{uuid.uuid4().hex[:10]}"
    proxy = TcpProxy(settings.postgres)
    await proxy.open()
    through = f"{proxy.url}?options={quote(f'-csearch_path={schema}')}"
    connection = await psycopg.AsyncConnection.connect(settings.postgres, autocommit=True, row_factory=dict_row)
    await connection.execute(f"create schema {schema}".encode())
    await connection.execute(f"set search_path to {schema}".encode())
    try:
        async with RuntimeHarness(dataclasses.replace(isolated(settings), postgres=through), folder) as runtime:
            await runtime.start("recorder", **environ)
            yield runtime, proxy, connection
    finally:
        await connection.execute(f"drop schema {schema} cascade".encode())
        await connection.close()
        await proxy.close()


async def rows(connection: "psycopg.AsyncConnection[Any]", query: str, *values: object) -> list[dict[str, Any]]:
    """The rows of a query; none while the tables do not exist yet."""
    try:
        table: list[dict[str, Any]] = await (await connection.execute(query.encode(), values)).fetchall()
    except psycopg.errors.UndefinedTable:
        return []
    return table


def run_event(run: Run, kind: EventKind, vertex: str = "", **data: Any) -> Event:
    """An event of a run."""
    return Event(run, kind, vertex, (), vertex, 1 if vertex else 0, data)


def story(run: Run) -> list[Event]:
    """The events of a small run, with texts and numbers that databases do not like."""
    return [
        run_event(run, EventKind.ACCEPTED, input={"text": "nul \0 and \\u0000"}),
        run_event(run, EventKind.STARTED, "a", service="add-one", input={}),
        run_event(run, EventKind.PROGRESS, "a", number=1, text="half of it"),
        run_event(run, EventKind.FINISHED, "a", output={"n": float("nan")}),
        run_event(run, EventKind.PROGRESS, "a", number=1, text="of a worker that is late"),
        run_event(run, EventKind.RUN_FINISHED, output={"total": 3}),
    ]


def test_history_is_what_happened(settings: Settings, tmp_path: Path) -> None:
    """Runs, events and executions are recorded once; what comes after the end (of a run, or progress after that of its node),
    and what comes twice, is not; an outage of PostgreSQL loses nothing.
    """

    async def main() -> None:
        async with recording(settings, tmp_path) as (runtime, proxy, connection):
            runs = [dataclasses.replace(RUN, id=str(uuid.uuid4())) for _ in range(50)]
            first = runs[0]
            runs[1] = dataclasses.replace(runs[1], deadline=1e308)  # after the end of every calendar

            async def send(events: list[Event]) -> None:
                for event in events:
                    await runtime.connections.producer.send(await runtime.connections.wire.event(event))

            await send(story(first))
            await send(
                [
                    run_event(first, EventKind.RUN_FAILED, reason="a second end"),
                    run_event(first, EventKind.STARTED, "late"),
                ]
            )
            await send(story(first))
            await proxy.close()
            await asyncio.gather(*(send(story(run)) for run in runs[1:]))
            await proxy.open()

            async def all_ended() -> bool:
                return len(await rows(connection, "select 1 from runs where ended_at is not null")) == len(runs)

            await until(all_ended, 40, "every run in the history")
            (run,) = await rows(connection, "select * from runs where run = %s", first.id)
            assert (run["status"], run["pipeline"], run["output"]) == ("finished", "demo", {"total": 3})
            assert run["input"] == {"text": "nul \ufffd and \\u0000"}
            assert run["accepted_at"] <= run["ended_at"]

            events = await rows(connection, "select * from events where run = %s order by sequence", first.id)
            kinds = ["run.accepted", "node.started", "node.progress", "node.finished", "run.finished"]
            assert [event["kind"] for event in events] == kinds
            assert run["ended_sequence"] == events[-1]["sequence"]
            assert events[2]["data"] == {"number": 1, "text": "half of it"}

            (execution,) = await rows(connection, "select * from node_executions where run = %s", first.id)
            assert (execution["node"], execution["service"], execution["status"]) == ("a", "add-one", "finished")
            assert execution["output"] == {"n": None}

            (count,) = await rows(connection, "select count(*) as n from events")
            assert count["n"] == len(kinds) * len(runs)

            async def up_to_date() -> bool:
                done = {
                    row["partition"]: row["next_sequence"] for row in await rows(connection, "select * from progress")
                }
                ends = await runtime.ends(runtime.connections.events)
                return all(done.get(number, 0) == end for number, end in ends.items() if end)

            await until(up_to_date, 10, "progress")

    asyncio.run(main())
