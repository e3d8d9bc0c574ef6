"""Following runs: resuming, two gateways, cancelling, idempotency keys."""

import signal
import uuid
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.acceptance import pictures
from tests.acceptance.sse import StreamEvent, check_order, events
from tests.acceptance.system import GatewayClient, System, problem
from tests.integration.support.eventually import eventually

PHOTO: dict[str, Any] = {"files": {"photo": ("a.png", pictures.astronaut(), "image/png")}}
LONG = """
pipeline: acceptance-long
summary: Many small steps, one after another
input: {photo: image}
nodes:
  steps:
    repeat: {image: "${photo}", width: 600}
    nodes: {step: {service: image-resize, with: {image: "${image}", width: "${width}"}}}
    next: {image: "${step.image}", width: "${width - 1}"}
    until: width < 2
    max: 500
    output: "${step.image}"
output: {image: "${steps}"}
"""


@pytest.fixture(scope="module")
def long_pipeline(system: System) -> Iterator[str]:
    """A pipeline that takes far longer than a test looks at it."""
    with system.http as http:
        answer = http.put("/pipelines/acceptance-long", content=LONG, headers={"content-type": "application/yaml"})
        assert answer.status_code in (200, 201), answer.text
        yield "acceptance-long"
        http.delete("/pipelines/acceptance-long")


@pytest.fixture(scope="module")
def second_gateway(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayClient]:
    """Another gateway of the same system."""
    with system.gateway(tmp_path_factory.mktemp("second")) as client:
        yield client


def read(client: GatewayClient, run: str, count: int, after: int | None = None) -> list[StreamEvent]:
    """So many events of a run, after which the client hangs up."""
    headers = {} if after is None else {"last-event-id": str(after)}
    with client.http as http, http.stream("GET", f"/runs/{run}/events", headers=headers) as stream:
        found: list[StreamEvent] = []
        for received in events(stream.iter_lines()):
            found.append(received)
            if len(found) == count:
                break
        return found


def test_a_client_that_comes_back_misses_nothing(
    system: System, long_pipeline: str, second_gateway: GatewayClient
) -> None:
    """Hanging up after some events and coming back with the last id, on either gateway, gives each event exactly once."""
    run = system.submit(long_pipeline, **PHOTO)
    clients = [system, second_gateway]
    got: list[StreamEvent] = []
    for turn in range(6):
        got += read(clients[turn % 2], run, 3 + turn, got[-1].id if got else None)
    with system.http as http:
        assert http.delete(f"/runs/{run}").status_code == 202
    got += second_gateway.follow(run, got[-1].id)
    assert got == system.follow(run) == second_gateway.follow(run)
    check_order(got)
    assert got[-1].name == "run.cancelled"
    with second_gateway.http as http:
        answer = http.get(f"/runs/{run}/events", headers={"last-event-id": str(got[-1].id)})
    assert answer.status_code == 204


def test_a_run_of_one_gateway_is_seen_on_the_other(system: System, second_gateway: GatewayClient) -> None:
    """Submitted on one, its state, events, result and picture come from the other; each has the same ids."""
    run = system.submit("face-blur", **PHOTO)
    with second_gateway.http as http:
        assert http.get(f"/runs/{run}").status_code == 200  # never 404, however soon
    received = second_gateway.follow(run)
    check_order(received)
    assert received == system.follow(run)
    assert second_gateway.object(received[-1].data["output"]["image"]).content
    with second_gateway.http as http:
        assert http.get(f"/runs/{run}/result").json()["output"] == received[-1].data["output"]


def test_a_running_run_is_cancelled(system: System, long_pipeline: str, second_gateway: GatewayClient) -> None:
    """A run in the middle of its work, cancelled on the other gateway, ends with run.cancelled and begins nothing more."""
    run = system.submit(long_pipeline, **PHOTO)
    assert [one.name for one in read(system, run, 3)][-1] == "node.finished"
    with second_gateway.http as http:
        assert http.delete(f"/runs/{run}").status_code == 202
    received = system.follow(run)
    check_order(received)
    assert received[-1].name == "run.cancelled"
    with system.http as http:
        document = problem(http.get(f"/runs/{run}/result"), 409)
        assert document["type"] == "urn:millrace:run-cancelled"
        assert problem(http.delete(f"/runs/{run}"), 409)["type"] == "urn:millrace:run-over"
        eventually(lambda: http.get("/runs", params={"status": "cancelled"}).json()["runs"][0]["id"] == run, 15)
    after = system.submit("face-blur", **PHOTO)
    assert system.output(after)  # the worker is free for the next one


def test_a_queued_run_is_cancelled(system: System) -> None:
    """A run whose task nobody has taken yet ends at once; its task is not begun when the worker comes to it."""
    worker = psutil.Process(system.stack.part("worker").pid)
    worker.send_signal(signal.SIGSTOP)
    try:
        run = system.submit("face-blur", **PHOTO)
        with system.http as http:
            assert http.delete(f"/runs/{run}").status_code == 202
        received = system.follow(run)
    finally:
        worker.send_signal(signal.SIGCONT)
    assert [one.name for one in received] == ["run.accepted", "run.cancelled"]
    assert system.output(system.submit("face-blur", **PHOTO))
    assert system.follow(run) == received


def test_an_idempotency_key_makes_one_run(system: System, long_pipeline: str, second_gateway: GatewayClient) -> None:
    """The same key and request on both gateways is one run: 409 while it goes on, the same run after; another request 422."""
    key = {"idempotency-key": f"test-{uuid.uuid4()}"}
    run = system.submit("face-blur", **PHOTO, headers=key)
    output = system.output(run)
    with second_gateway.http as http:
        again = http.post("/pipelines/face-blur/runs", **PHOTO, headers=key)
        assert again.status_code in (200, 202)
        assert again.json()["id"] == run
        assert again.json().get("output", output) == output
        other = http.post("/pipelines/face-blur/runs", **PHOTO, data={"strength": "0.1"}, headers=key)
        assert problem(other, 422)["type"] == "urn:millrace:key-reused"
        running = {"idempotency-key": f"test-{uuid.uuid4()}"}
        busy = system.submit(long_pipeline, **PHOTO, headers=running)
        refused = http.post(f"/pipelines/{long_pipeline}/runs", **PHOTO, headers=running)
        assert problem(refused, 409)["id"] == busy
        assert http.delete(f"/runs/{busy}").status_code == 202
    assert system.follow(busy)[-1].name == "run.cancelled"


def test_runs_side_by_side_do_not_mix(system: System) -> None:
    """Twenty runs at once: each has its own events alone, and its own picture."""
    runs = [
        system.submit("image-resize", files={"image": ("a.png", pictures.small())}, data={"width": str(10 + n)})
        for n in range(20)
    ]
    for number, run in enumerate(runs):
        received = system.follow(run)
        check_order(received)
        assert {one.data["run"] for one in received} == {run}
        image = pictures.opened(system.object(received[-1].data["output"]["image"]).content)
        assert image.width == 10 + number
