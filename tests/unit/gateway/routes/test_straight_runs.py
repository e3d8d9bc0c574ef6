"""Runs of one chain of services over HTTP: the gateway begins them itself; on a gateway in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.contracts import load_contracts
from streams.lifecycle import EventKind
from streams.messages import Task
from streams.wire import topics
from tests.unit.gateway.memory.gateway import GREET, MemoryGateway, memory_gateway, wait_for

CALL = """
pipeline: call
input: {copies: int}
nodes:
  train: {service: cell-train, with: {copies: "${copies}"}}
output: {version: "${train.version}"}
"""
SHADOW = GREET.replace("'hello '", "'good day '")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[MemoryGateway]:
    """A gateway that begins runs where it can, with a pipeline that needs no service."""
    with memory_gateway(tmp_path, straight=True) as running:
        running.define(GREET)
        yield running


def events(gateway: MemoryGateway) -> list[str]:
    """The kinds of what the log of events holds."""
    return [(record.header("ce_type") or b"").decode() for record in gateway.sent(topics.EVENTS)]


def test_a_run_without_a_service_ends_in_the_gateway(gateway: MemoryGateway) -> None:
    """Its events are all that is written: no request, nothing for flow."""
    answer = gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"}, headers={"prefer": "wait=5"})
    assert (answer.status_code, answer.json()["output"]) == (200, {"text": "hello Ada"})
    assert events(gateway) == ["run.accepted", "node.finished", "run.finished"]
    assert gateway.sent("pipeline.greet.requests") == []
    assert gateway.sent(topics.TOKENS) == []


def test_the_first_task_carries_the_acceptance(gateway: MemoryGateway) -> None:
    """A worker publishes it with its own events; nobody has taken the task, so the gateway publishes it too."""
    gateway.announce(load_contracts()["cell-train"])
    assert gateway.define(CALL).status_code == 201
    answer = gateway.http.post("/pipelines/call/runs", json={"copies": 2})
    assert answer.status_code == 202, answer.text
    run = answer.json()["id"]
    (record,) = gateway.sent("task.cell-train.v1")
    task: Task = gateway.call(gateway.connections.wire.read_envelope, record)
    assert (task.run.id, task.run.straight) == (run, True)
    assert [event.kind for event in task.said] == [EventKind.ACCEPTED]
    wait_for(lambda: events(gateway) == ["run.accepted"])
    state = gateway.http.get(f"/runs/{run}").json()
    assert (state["status"], state["pipeline"]) == ("accepted", "call")
    why = gateway.http.get(f"/runs/{run}/explain").json()
    assert [place["why"] for place in why["waits"]] == ["queued"]


def test_with_an_idempotency_key_flow_begins_the_run(gateway: MemoryGateway) -> None:
    """Of several gateways with the same key one must win, and that is decided in the log before anything runs."""
    headers = {"idempotency-key": "once"}
    assert gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"}, headers=headers).status_code == 202
    assert len(gateway.sent("pipeline.greet.requests")) == 1
    assert events(gateway) == ["run.accepted"]


def test_a_version_on_trial_in_the_shadow_needs_flow(gateway: MemoryGateway) -> None:
    """Flow repeats each run on it."""
    gateway.define(SHADOW, shadow="true")
    assert gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"}).status_code == 202
    assert len(gateway.sent("pipeline.greet.requests")) == 1


def test_a_large_input_is_left_to_flow(gateway: MemoryGateway) -> None:
    """It would hold up other calls here."""
    assert gateway.http.post("/pipelines/greet/runs", json={"name": "x" * 100_000}).status_code == 202
    assert len(gateway.sent("pipeline.greet.requests")) == 1


def test_a_run_that_fails_at_once_says_so(gateway: MemoryGateway) -> None:
    """As flow would: an expression that cannot be evaluated fails the run."""
    gateway.define(
        "pipeline: thirds\ninput: {n: int}\nnodes:\n  third: {value: '${3 / n}'}\noutput: {third: '${third}'}\n"
    )
    answer = gateway.http.post("/pipelines/thirds/runs", json={"n": 0}, headers={"prefer": "wait=5"})
    assert answer.status_code == 500, answer.text
    assert events(gateway)[-1] == "run.failed"
