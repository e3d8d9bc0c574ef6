"""`http:` nodes on real brokers: secrets that show nowhere, answers that come once, waits that block no others."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from streams.messages import Action, Control, EventKind
from streams.settings import Settings
from tests.integration.support.http_server import HttpServer, ReceivedRequest, ResponseWriter, server
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.shared_runtime import SAMPLE_SERVICES, SharedRuntime
from tests.integration.support.waiting import until

SECRET = "a-very-confidential-token"
ASK = """
pipeline: ask
input: {url: string, n: int}
nodes:
  order:
    http:
      method: POST
      url: "${url}"
      headers: {authorization: "Bearer ${secret('shop-token')}", x-number: "${string(n)}"}
      body: {n: "${n}"}
    retry: {attempts: 2, backoff: 0.2s}
  plus: {service: add-one, with: {n: "${order.body.n}"}}
output: {status: "${order.status}", n: "${plus.n}", said: "${order.body}"}
"""
WAIT = """
pipeline: wait
input: {url: string}
nodes:
  there: {http: {url: "${url}"}}
output: {status: "${there.status}"}
"""
PICTURE = """
pipeline: picture
input: {url: string}
nodes:
  there: {http: {url: "${url}"}}
  grey: {service: image-greyscale, with: {image: "${there.image}"}}
output: {image: "${grey.image}"}
"""
SUM = """
pipeline: sum
input: {n: int}
nodes:
  a: {service: add-one, with: {n: "${n}"}}
output: {total: "${a.n}"}
"""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the operator sets: loopback may be called, and a secret goes there."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "shop-token").write_text(SECRET)
    (folder / "shop-token.origins").write_text("http://127.0.0.1:*")
    return {"MILLRACE_HTTP_ALLOW": "* http://127.0.0.1:* at 127.0.0.0/8", "MILLRACE_HTTP_SECRETS": str(folder)}


@pytest.fixture(scope="module")
def shared_runtime(
    settings: Settings, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedRuntime]:
    """A runtime harness with one worker, and pipelines that call others."""
    with asyncio.Runner() as runner:
        harness = RuntimeHarness(isolated(settings), Path(tmp_path_factory.mktemp("harness")))
        runner.run(harness.__aenter__())

        async def begin() -> None:
            await harness.start(SAMPLE_SERVICES, "http-call", "image-greyscale", "flow", "retry", **environ)
            needed = {"http-call", "image-greyscale", "add-one"}
            await until(lambda: needed <= harness.services.contracts().keys(), 30, "announcements")
            for text in (ASK, WAIT, PICTURE, SUM):
                await harness.publish(text, harness.services.contracts())

        try:
            runner.run(begin())
            yield SharedRuntime(harness, runner)
        finally:
            runner.run(harness.__aexit__())


def repeating(request: ReceivedRequest, out: ResponseWriter) -> None:
    """Gives back what it got, the secret too; fails where it is asked to."""
    echo = {"n": json.loads(request.body)["n"], "you": dict(request.headers)}
    out.send(200 if request.path == "/good" else 500, json.dumps(echo).encode())


def test_a_secret_shows_nowhere(shared_runtime: SharedRuntime) -> None:
    """After a run that finishes and one that fails, no topic, no object and no log holds it, in a server that repeats it."""

    async def main(there: HttpServer) -> None:
        harness = shared_runtime.harness
        good = await harness.submit("ask", {"url": there.url("/good"), "n": 41})
        bad = await harness.submit("ask", {"url": there.url("/bad"), "n": 1})
        output = await harness.output(good)
        assert (output["status"], output["n"]) == (200, 42)
        assert output["said"]["you"]["authorization"] == "Bearer [redacted]"
        assert (await harness.ended(bad)).event.kind is EventKind.RUN_FAILED
        assert {request.headers["authorization"] for request in there.requests} == {f"Bearer {SECRET}"}
        (started,) = harness.events_of(good, EventKind.STARTED)[:1]
        assert started.event.data["input"]["secrets"] == {
            "authorization": {"name": "shop-token", "before": "Bearer ", "after": ""}
        }
        topics = await harness.connections.admin.names(harness.settings.topic_prefix)
        records = [(topic, record) for topic in topics for record in await harness.read(topic)]
        kinds = {topic.removeprefix(harness.settings.topic_prefix) for topic, _ in records}
        assert {"run.events", "task.http-call.v1", "dead.letters", "pipeline.ask.results", "retry.1s"} <= kinds
        for topic, record in records:
            held = b"".join([record.key or b"", record.value or b"", *(value or b"" for _, value in record.headers)])
            assert SECRET.encode() not in held, f"{topic} {record.where}"
        assert any(b"redacted" in (record.value or b"") for _, record in records)
        for run in (good, bad):
            for key in await harness.connections.store.list(f"runs/{run}"):
                assert SECRET.encode() not in await harness.connections.store.read(key)
        for worker in harness.workers:
            assert SECRET not in worker.log.read_text()

    with server(repeating) as there:
        shared_runtime.run(main(there))


def test_each_try_of_a_task_has_one_name(shared_runtime: SharedRuntime) -> None:
    """A server that puts a call off is asked again when it said, with the same Idempotency-Key; another task has another."""
    answers = [503, 200, 200]

    def puts_off(request: ReceivedRequest, out: ResponseWriter) -> None:
        headers = (("retry-after", "1"),) if (status := answers.pop(0)) == 503 else ()
        out.send(status, request.body, "application/json", *headers)

    async def main(there: HttpServer) -> None:
        harness = shared_runtime.harness
        run = await harness.submit("ask", {"url": there.url(), "n": 1})
        assert (await harness.output(run))["n"] == 2
        (retrying,) = harness.events_of(run, EventKind.RETRYING)
        assert retrying.event.data["delay"] == 1.0  # and not the 0.2 s of the node
        await harness.output(await harness.submit("ask", {"url": there.url(), "n": 1}))
        first, again, other = (request.headers["idempotency-key"] for request in there.requests)
        assert first == again != other

    with server(puts_off) as there:
        shared_runtime.run(main(there))


def test_a_call_that_is_delivered_again_has_one_answer(
    settings: Settings, environ: dict[str, str], tmp_path: Path
) -> None:
    """When a worker dies in a call, the next one asks again under the same name, and the run goes on with one answer."""
    begun, release = threading.Event(), threading.Event()

    def slow(request: ReceivedRequest, out: ResponseWriter) -> None:
        begun.set()
        release.wait(60)
        out.send(200, request.body)

    async def main(there: HttpServer) -> None:
        async with RuntimeHarness(isolated(settings), tmp_path) as harness:
            await harness.start(SAMPLE_SERVICES, "flow")
            first = await harness.start("http-call", **environ)
            await until(lambda: {"http-call", "add-one"} <= harness.services.contracts().keys())
            await harness.publish(ASK, harness.services.contracts())
            run = await harness.submit("ask", {"url": there.url(), "n": 7})
            await until(begun.is_set)
            first.kill()
            release.set()
            await harness.start("http-call", **environ)
            assert (await harness.output(run, 90))["n"] == 8
            assert len({request.headers["idempotency-key"] for request in there.requests}) == 1
            assert len(there.requests) >= 2
            finished = [sent.event.path for sent in harness.client_events(run) if sent.event.kind is EventKind.FINISHED]
            assert finished == ["order", "plus"]

    with server(slow) as there:
        asyncio.run(main(there))


def test_waiting_calls_block_nobody(shared_runtime: SharedRuntime) -> None:
    """With more calls waiting than the pool has children, what computes goes on; cancelled, they hang up at once."""
    release, waiting, hung_up = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    def slow(request: ReceivedRequest, out: ResponseWriter) -> None:
        out.send_head(200, ("content-type", "application/json"))
        waiting.release()
        while not release.is_set():
            if not out.write(b" "):
                hung_up.release()
                return
            release.wait(0.05)
        out.write(b"{}")

    async def acquired(semaphore: threading.Semaphore, count: int) -> None:
        for _ in range(count):
            await until(lambda: semaphore.acquire(blocking=False))

    async def main(there: HttpServer) -> None:
        harness = shared_runtime.harness
        runs = [await harness.submit("wait", {"url": there.url()}) for _ in range(12)]
        await acquired(waiting, 12)
        assert (await harness.output(await harness.submit("sum", {"n": 1})))["total"] == 2
        for run in runs[:6]:
            await harness.connections.producer.send(await harness.connections.wire.control(Control(run, Action.CANCEL)))
        await acquired(hung_up, 6)
        for run in runs[:6]:
            assert (await harness.ended(run)).event.kind is EventKind.RUN_CANCELLED
        release.set()
        for run in runs[6:]:
            assert (await harness.output(run))["status"] == 200

    with server(slow) as there:
        shared_runtime.run(main(there))


def test_a_picture_that_is_fetched_goes_on_as_one(shared_runtime: SharedRuntime) -> None:
    """It is stored among the run's objects, and the next service gets it."""
    data = io.BytesIO()
    Image.new("RGB", (30, 20), (200, 0, 0)).save(data, "PNG")

    async def main(there: HttpServer) -> None:
        harness = shared_runtime.harness
        run = await harness.submit("picture", {"url": there.url()})
        image: dict[str, Any] = (await harness.output(run))["image"]
        assert image["key"].startswith(f"runs/{run}/")
        grey = Image.open(io.BytesIO(await harness.connections.store.read(image["key"])))
        assert grey.size == (30, 20)

    with server(lambda _, out: out.send(200, data.getvalue(), "image/png")) as there:
        shared_runtime.run(main(there))


def test_an_answer_as_large_as_may_be(shared_runtime: SharedRuntime) -> None:
    """It goes through the run whole, though no record could carry it."""
    text = "a" * 1_900_000

    async def main(there: HttpServer) -> None:
        harness = shared_runtime.harness
        run = await harness.submit("ask", {"url": there.url(), "n": 1})
        output = await harness.output(run)
        assert (output["n"], output["said"]["text"]) == (42, text)

    with server(lambda _, out: out.send(200, json.dumps({"n": 41, "text": text}).encode())) as there:
        shared_runtime.run(main(there))
