"""Notices of ended runs reach the receivers that the operator names: a real recorder, real tables, real receivers."""

import asyncio
import dataclasses
import json
import threading
import uuid
from pathlib import Path
from typing import Any

import psycopg
import yaml

from streams.messages import Event, EventKind, Run
from streams.settings import Settings
from tests.integration.history.test_recorder import recording, rows
from tests.integration.support.gateway_world import GatewayWorld
from tests.integration.support.http_server import ReceivedRequest, ResponseWriter, server
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.smtp_server import smtp_server
from tests.integration.support.waiting import until

RUN = Run("", "digit-train", "d" * 64, 2_000_000_000.0)


def story(run: Run, end: EventKind, **data: Any) -> list[Event]:
    """A run that begins and ends so."""
    return [Event(run, EventKind.ACCEPTED, data={"input": {}}), Event(run, end, data=data)]


def new(**changes: Any) -> Run:
    """A fresh run."""
    return dataclasses.replace(RUN, id=str(uuid.uuid4()), **changes)


def environ(folder: Path, entries: list[dict[str, Any]], mail: int = 0) -> dict[str, str]:
    """What the operator sets."""
    (folder / "notify.yaml").write_text(yaml.safe_dump(entries))
    (folder / "ops-hook").write_text("a-secret-of-ours")
    (folder / "ops-hook.origins").write_text("http://127.0.0.1:*")
    return {
        "MILLRACE_NOTIFY": str(folder / "notify.yaml"),
        "MILLRACE_HTTP_ALLOW": "POST http://127.0.0.1:* at 127.0.0.1/32",
        "MILLRACE_HTTP_SECRETS": str(folder),
        "MILLRACE_MAIL_HOST": "127.0.0.1",
        "MILLRACE_MAIL_PORT": str(mail or 25),
        "MILLRACE_MAIL_TLS": "none",
        "MILLRACE_MAIL_SENDER": "millrace@example.org",
        "MILLRACE_MAIL_RECIPIENTS": "*@example.com",
    }


def test_the_end_of_a_run_is_delivered_and_a_failing_receiver_changes_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    """Both channels get the notice once, with the same id at each try; other runs and shadows give none."""
    status = iter([500, 204])
    failing, fine = new(), new()
    shadow = new(shadow_of=fine.id)

    def answer(_: ReceivedRequest, out: ResponseWriter) -> None:
        out.send(next(status, 204), b"")

    async def main() -> None:
        entries: list[dict[str, Any]] = [
            {"runs": "digit-*", "webhook": there.url("/hook/token"), "secret": "ops-hook"},
            {"runs": ["digit-train"], "email": ["ada@example.com"]},
        ]
        said = environ(tmp_path, entries, post.port)
        async with recording(settings, tmp_path, **said) as (runtime, _, connection):
            failed = {"reason": "no data", "hint": "fetch it"}
            events = [
                *story(failing, EventKind.RUN_FAILED, **failed),
                *story(fine, EventKind.RUN_FINISHED),
                *story(shadow, EventKind.RUN_FAILED, **failed),
            ]
            for event in events * 2:
                await runtime.connections.producer.send(await runtime.connections.wire.event(event))

            async def delivered() -> bool:
                return len(await rows(connection, "select 1 from notices where outcome = 'delivered'")) == 2

            await until(delivered, 40, "both notices")
            notices = await rows(connection, "select * from notices")
            assert {notice["run"] for notice in notices} == {failing.id}
            assert sorted(notice["tries"] for notice in notices) == [1, 2]
            (row,) = await rows(connection, "select status from runs where run = %s", failing.id)
            assert row["status"] == "failed"

    with server(answer) as there, smtp_server() as post:
        asyncio.run(main())
    assert len({request.headers["webhook-id"] for request in there.requests}) == 1
    assert len(there.requests) == 2
    body = json.loads(there.requests[1].body)
    assert (body["type"], body["data"]["run"], body["data"]["status"]) == ("run.failed", failing.id, "failed")
    assert body["data"]["failure"]["reason"] == "no data"
    (letter,) = post.messages
    assert letter["Subject"] == f"digit-train failed (run {failing.id})"
    assert "Why: no data" in str(letter.get_payload())


def test_notices_of_a_dead_recorder_are_sent_by_the_next(settings: Settings, tmp_path: Path) -> None:
    """A notice that was not taken before a kill -9 is tried again by the next recorder; one that is never accepted stays visible."""
    silent = new()

    async def main() -> None:
        with server(lambda _, out: out.send(503, b"")) as away:
            said = environ(tmp_path, [{"webhook": away.url(), "secret": "ops-hook"}])
            async with recording(settings, tmp_path, **said) as (runtime, _, connection):
                for event in story(silent, EventKind.RUN_FAILED, reason="x"):
                    await runtime.connections.producer.send(await runtime.connections.wire.event(event))
                await until(lambda: away.requests, 30, "the first try")
                runtime.workers[0].kill()
                (notice,) = await rows(connection, "select * from notices")
                assert notice["outcome"] is None
                await connection.execute("update notices set due = now()")  # not to wait until its lease ends
                await runtime.start("recorder", **said)
                await until(lambda: len(away.requests) > 1, 30, "the next try")
        assert len({request.headers["webhook-id"] for request in away.requests}) == 1

    asyncio.run(main())


def test_a_receiver_that_hangs_keeps_nobody_else_waiting(settings: Settings, tmp_path: Path) -> None:
    """Two of its notices are tried at a time, and all those of others are delivered meanwhile."""
    count, released = 12, threading.Event()

    def answer(request: ReceivedRequest, out: ResponseWriter) -> None:
        if request.path == "/hangs":
            released.wait(90)
        out.send(204, b"")

    async def main() -> None:
        entries = [{"webhook": there.url(path), "secret": "ops-hook"} for path in ("/hangs", "/takes")]
        said = {**environ(tmp_path, entries), "MILLRACE_HTTP_SILENCE": "60"}
        async with recording(settings, tmp_path, **said) as (runtime, _, connection):
            for _ in range(count):
                for event in story(new(), EventKind.RUN_FAILED, reason="x"):
                    await runtime.connections.producer.send(await runtime.connections.wire.event(event))

            async def others_delivered() -> bool:
                delivered = await rows(connection, "select target from notices where outcome = 'delivered'")
                return len(delivered) == count and {notice["target"] for notice in delivered} == {there.url("/takes")}

            try:
                await until(others_delivered, 25, "the others' notices")
                assert sum(request.path == "/hangs" for request in there.requests) <= 2
            finally:
                released.set()

    with server(answer) as there:
        asyncio.run(main())


def test_a_list_that_cannot_be_used_ends_the_recorder(settings: Settings, tmp_path: Path) -> None:
    """At the start, with the entry and the reason, not at the first run that fails."""

    async def main() -> None:
        async with RuntimeHarness(isolated(settings), tmp_path) as runtime:
            bad = runtime.launch("recorder", **environ(tmp_path, [{"webhook": "https://elsewhere.example/"}]))
            await until(lambda: bad.process.poll() is not None, 40, "its end")
            assert bad.process.returncode == 2
            assert "entry 1: webhook: POST https://elsewhere.example may not be called" in bad.log.read_text()

    asyncio.run(main())


def test_notices_are_listed_and_sent_again(gateways: GatewayWorld) -> None:
    """The list says what became of each, without the token of an address; one that was given up can be tried again."""
    run, identity = str(uuid.uuid4()), str(uuid.uuid4())
    gateways.first.http.get("/predictions")  # the tables are there then
    with psycopg.connect(gateways.settings.postgres, autocommit=True) as connection:
        connection.execute(
            """insert into notices (id, run, pipeline, kind, channel, target, tries, outcome, error)
               values (%s, %s, 'digit-train', 'run.failed', 'webhook', 'https://hooks.example.com/token', 12, 'given up', 'gone')""",
            [identity, run],
        )
    http = gateways.first.http
    (notice,) = http.get("/notices", params={"run": run}).json()["notices"]
    assert (notice["to"], notice["state"], notice["tries"], notice["error"]) == (
        "https://hooks.example.com",
        "given up",
        12,
        "gone",
    )
    assert http.get("/notices", params={"run": run, "state": "waiting"}).json()["notices"] == []
    assert 'millrace_notices{state="given up"}' in gateways.second.http.get("/metrics").text
    again = http.post(f"/notices/{identity}/resend")
    assert (again.status_code, again.json()["state"], again.json()["tries"]) == (202, "waiting", 0)
    assert http.post(f"/notices/{uuid.uuid4()}/resend").status_code == 404
    assert http.post("/notices/nothing/resend").status_code == 404
