"""Runs over HTTP: submitting, following, result, state, explaining, repeating, cancelling; on a gateway in memory."""

import json
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from gateway.api.limits import Limits
from gateway.submission.submit import keyed_run
from streams.lifecycle import EventKind
from streams.messages import Event
from streams.wire.codec import RUN
from tests.unit.gateway.memory.gateway import MemoryGateway, memory_gateway, wait_for

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def frames(text: str) -> list[dict[str, Any]]:
    """The events of a stream: id, event and data of each."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            events.append({"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])})
    return events


def test_a_run_is_accepted(gateway: MemoryGateway) -> None:
    """202 with its id and its addresses; the request stands on its pipeline's topic under the run's id."""
    answer = gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"})
    assert answer.status_code == 202, answer.text
    document = answer.json()
    run = document["id"]
    assert document["status"] == "accepted"
    assert document["links"] == {
        "self": f"/runs/{run}",
        "events": f"/runs/{run}/events",
        "result": f"/runs/{run}/result",
    }
    assert answer.headers["location"] == f"/runs/{run}"
    (request,) = (record for record in gateway.sent("pipeline.greet.requests") if record.key == run.encode())
    assert request.header(RUN) == run.encode()


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        ({"content": b'{"name": '}, {}, 400, "bad-request"),
        ({"json": {"name": "Ada"}}, {"prefer": "wait=soon"}, 400, "bad-request"),
        ({"json": {"name": "Ada"}}, {"idempotency-key": "two words"}, 400, "bad-request"),
        ({"content": b"name: Ada"}, {"content-type": "application/yaml"}, 415, "media"),
        ({"json": {"name": 7}}, {}, 422, "invalid"),
        ({"json": {"name": "Ada", "times": 10}}, {}, 422, "invalid"),
        ({"json": {}}, {}, 422, "invalid"),
        ({"json": {"name": "Ada"}, "params": {"callback_url": "http://a.example/"}}, {}, 422, "invalid"),
    ],
)
def test_a_wrong_request_for_a_run_is_refused(
    gateway: MemoryGateway, body: dict[str, Any], headers: dict[str, str], status: int, kind: str
) -> None:
    """A problem document says what kind of problem it is; nothing is published."""
    before = len(gateway.sent("pipeline.greet.requests"))
    headers = {"content-type": "application/json", **headers}
    answer = gateway.http.post("/pipelines/greet/runs", headers=headers, **body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:millrace:{kind}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(gateway.sent("pipeline.greet.requests")) == before


def test_every_problem_of_an_input_is_listed(gateway: MemoryGateway) -> None:
    """With where it is, what it is, and what to do."""
    answer = gateway.http.post("/pipelines/greet/runs", json={"name": 7, "times": 10, "mane": "Ada"})
    assert answer.status_code == 422
    faults = {fault["where"]: fault for fault in answer.json()["errors"]}
    assert faults.keys() == {"name", "times", "mane"}
    assert "name" in faults["mane"]["hint"]


def test_a_body_over_the_limit_is_413(tmp_path: Path) -> None:
    """Whether it says its length or not, and whether it is JSON or a form."""
    with memory_gateway(tmp_path, Limits(body=2000, json=1000)) as gateway:
        gateway.define("pipeline: greet\ninput: {name: string}\nnodes: {}\noutput: {text: '${name}'}\n")
        large = json.dumps({"name": "x" * 1500}).encode()
        path, kind = "/pipelines/greet/runs", {"content-type": "application/json"}
        assert gateway.http.post(path, content=large, headers=kind).status_code == 413
        assert gateway.http.post(path, content=iter([large[:700], large[700:]]), headers=kind).status_code == 413
        assert gateway.http.post(path, files={"name": ("n", b"x" * 3000)}).status_code == 413
        assert gateway.http.post(path, json={"name": "x" * 500}).status_code == 202


def test_an_unknown_pipeline_is_404(gateway: MemoryGateway) -> None:
    """The nearest name is suggested."""
    answer = gateway.http.post("/pipelines/great/runs", json={})
    assert answer.status_code == 404
    assert "did you mean greet?" in answer.json()["detail"]


def test_a_form_is_an_input_too(gateway: MemoryGateway) -> None:
    """Fields are parts of their own, text or JSON."""
    answer = gateway.http.post("/pipelines/greet/runs", files={"name": (None, "Ada"), "times": (None, "2")})
    assert answer.status_code == 202, answer.text
    document = gateway.http.get(answer.headers["location"]).json()
    assert document["input"] == {"name": "Ada", "times": 2}


def test_the_events_of_a_run_that_has_ended(gateway: MemoryGateway) -> None:
    """The whole stream, then its end; with `Last-Event-ID` only what came after it, and 204 after the last event."""
    run = gateway.submit()
    gateway.emit(Event(run, EventKind.STARTED, "hello", path="hello", attempt=1))
    gateway.finish(run)
    answer = gateway.http.get(f"/runs/{run.id}/events")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    events = frames(answer.text)
    assert [event["event"] for event in events] == ["run.accepted", "node.started", "run.finished"]
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})
    assert events[-1]["data"]["output"] == {"text": "hello Ada"}
    resumed = gateway.http.get(f"/runs/{run.id}/events", headers={"last-event-id": str(events[0]["id"])})
    assert frames(resumed.text) == events[1:]
    last = {"last-event-id": str(events[-1]["id"])}
    assert gateway.http.get(f"/runs/{run.id}/events", headers=last).status_code == 204
    assert gateway.http.get(f"/runs/{run.id}/events", headers={"last-event-id": "x"}).status_code == 400


def test_a_client_may_submit_and_follow_in_one_call(gateway: MemoryGateway) -> None:
    """With `Accept: text/event-stream` the answer is the stream, which ends with the run."""
    answers: list[Any] = []

    def submit() -> None:
        headers = {"accept": "text/event-stream", "idempotency-key": "follow"}
        answers.append(gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"}, headers=headers))

    client = threading.Thread(target=submit)
    client.start()
    run = gateway.run(keyed_run(gateway.components.access.authenticator.owner, "follow"))
    streams = gateway.components.following.streams
    wait_for(lambda: streams.open == 1)
    gateway.finish(run)
    client.join(5)
    (answer,) = answers
    assert answer.status_code == 200
    assert answer.headers["location"] == f"/runs/{run.id}"
    assert [event["event"] for event in frames(answer.text)] == ["run.accepted", "run.finished"]
    assert streams.open == 0


def test_a_result(gateway: MemoryGateway) -> None:
    """409 with a `Retry-After` while the run goes on, then the output."""
    run = gateway.submit()
    early = gateway.http.get(f"/runs/{run.id}/result")
    assert (early.status_code, early.json()["type"]) == (409, "urn:millrace:run-not-over")
    assert early.json()["run_status"] == "accepted"
    assert "retry-after" in early.headers
    gateway.finish(run)
    result = gateway.http.get(f"/runs/{run.id}/result")
    assert result.status_code == 200
    assert result.json()["output"] == {"text": "hello Ada"}
    assert result.json()["status"] == "finished"


def test_a_client_may_wait_for_a_result(gateway: MemoryGateway) -> None:
    """`Prefer: wait` answers as soon as the run has ended; when it does not end in time, with 202."""
    late = gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"}, headers={"prefer": "wait=0"})
    assert late.status_code == 202
    run = gateway.submit()
    ending = threading.Timer(0.02, gateway.finish, [run])
    ending.start()
    answer = gateway.http.get(f"/runs/{run.id}/result", headers={"prefer": "wait=10"})
    ending.join()
    assert (answer.status_code, answer.json()["output"]) == (200, {"text": "hello Ada"})


@pytest.mark.parametrize(
    ("failure", "status", "kind"),
    [
        ({"reason": "too dark", "fault": "caller", "at": "detect"}, 422, "run-refused"),
        ({"reason": "no such field", "fault": "pipeline", "at": "detect"}, 500, "run-broken"),
        ({"reason": "it crashed", "fault": "service", "at": "detect"}, 502, "run-failed"),
        ({"reason": "the run's deadline passed", "fault": "pipeline"}, 504, "run-late"),
    ],
)
def test_a_failed_run_says_whose_fault_it_was(
    gateway: MemoryGateway, failure: dict[str, Any], status: int, kind: str
) -> None:
    """By the status and the type of its result; the run itself can be read as any other."""
    run = gateway.submit()
    gateway.fail(run, **failure)
    answer = gateway.http.get(f"/runs/{run.id}/result")
    document = answer.json()
    assert (answer.status_code, document["type"]) == (status, f"urn:millrace:{kind}")
    assert failure["reason"] in document["detail"]
    state = gateway.http.get(f"/runs/{run.id}")
    assert (state.status_code, state.json()["status"]) == (200, "failed")


def test_the_state_of_a_run(gateway: MemoryGateway) -> None:
    """Its input, each node with its state and output, and in the end the run's own output and duration."""
    run = gateway.submit(json={"name": "Ada", "times": 2})
    gateway.emit(Event(run, EventKind.STARTED, "hello", path="hello", attempt=1))
    running = gateway.http.get(f"/runs/{run.id}").json()
    assert running["status"] == "running"
    assert running["input"] == {"name": "Ada", "times": 2}
    assert [node["status"] for node in running["nodes"]] == ["started"]
    gateway.emit(Event(run, EventKind.FINISHED, "hello", path="hello", attempt=1, data={"output": "hello Ada"}))
    gateway.finish(run)
    ended = gateway.http.get(f"/runs/{run.id}").json()
    assert ended["status"] == "finished"
    assert ended["counts"] == {"finished": 1}
    assert ended["nodes"][0]["output"] == "hello Ada"
    assert ended["seconds"] >= 0


@pytest.mark.parametrize("path", ["", "/result", "/events", "/explain"])
def test_a_run_that_nobody_knows_is_404(gateway: MemoryGateway, path: str) -> None:
    """Neither the log nor the history has it."""
    answer = gateway.http.get(f"/runs/{UNKNOWN}{path}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:millrace:not-found")


def test_the_same_key_is_the_same_run(gateway: MemoryGateway) -> None:
    """409 while it goes on, its result once it has ended, and 422 with another input."""
    key = {"idempotency-key": "once"}
    first = gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"}, headers=key)
    assert first.status_code == 202
    again = gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"}, headers=key)
    assert (again.status_code, again.json()["type"]) == (409, "urn:millrace:duplicate")
    assert again.headers["location"] == first.headers["location"]
    other = gateway.http.post("/pipelines/greet/runs", json={"name": "Grace"}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:millrace:key-reused")
    gateway.finish(gateway.run(first.json()["id"]))
    ended = gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"}, headers={**key, "prefer": "wait=1"})
    assert (ended.status_code, ended.json()["output"]) == (200, {"text": "hello Ada"})


def test_a_run_is_cancelled(gateway: MemoryGateway) -> None:
    """202 as soon as that is requested; 409 when the run has ended."""
    run = gateway.submit()
    before = len(gateway.sent("run.control"))
    answer = gateway.http.delete(f"/runs/{run.id}")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")
    assert len(gateway.sent("run.control")) == before + 1
    gateway.emit(Event(run, EventKind.RUN_CANCELLED, data={"reason": "cancelled"}))
    over = gateway.http.delete(f"/runs/{run.id}")
    assert (over.status_code, over.json()["type"]) == (409, "urn:millrace:run-over")
    result = gateway.http.get(f"/runs/{run.id}/result")
    assert (result.status_code, result.json()["type"]) == (409, "urn:millrace:run-cancelled")


def test_a_run_is_explained(gateway: MemoryGateway) -> None:
    """What a run waits for that nobody has taken, and how one came to its end."""
    run = gateway.submit()
    waiting = gateway.http.get(f"/runs/{run.id}/explain").json()
    assert waiting["status"] == "accepted"
    assert waiting["waits"], waiting
    assert all(place["text"] for place in waiting["waits"])
    gateway.fail(run, reason="it crashed", fault="service", at="hello")
    ended = gateway.http.get(f"/runs/{run.id}/explain").json()
    assert ended["failure"]["reason"] == "it crashed"
    assert "waits" not in ended


def test_a_run_is_repeated(gateway: MemoryGateway) -> None:
    """The new run is linked to the old one and starts with its input, or with the changes that were asked for."""
    run = gateway.submit()
    gateway.finish(run)
    answer = gateway.http.post(f"/runs/{run.id}/replay", json={"set": {"name": "Grace"}})
    assert answer.status_code == 202, answer.text
    assert answer.json()["replay_of"] == run.id
    repeated = gateway.http.get(answer.headers["location"]).json()
    assert repeated["replay_of"] == run.id
    assert repeated["input"]["name"] == "Grace"
    unknown = gateway.http.post(f"/runs/{run.id}/replay", json={"form": "hello"})
    assert (unknown.status_code, unknown.json()["errors"][0]["where"]) == (422, "form")
    gone = gateway.http.post(f"/runs/{UNKNOWN}/replay", json={})
    assert gone.status_code == 404


def test_the_list_of_runs_is_of_the_history(gateway: MemoryGateway) -> None:
    """Newest first, page by page, filtered; 422 for a state that there is not, and for a cursor of another list."""
    ids = [str(uuid.uuid4()) for _ in range(3)]
    for identity in ids:
        gateway.history.add(identity, pipeline="listed")
    gateway.history.add(str(uuid.uuid4()), "failed", pipeline="listed", failure={"reason": "x", "at": "a"})
    page = gateway.http.get("/runs", params={"pipeline": "listed", "status": "finished", "limit": 2}).json()
    assert [run["id"] for run in page["runs"]] == [ids[2], ids[1]]
    rest = gateway.http.get("/runs", params={"pipeline": "listed", "status": "finished", "cursor": page["next"]}).json()
    assert [run["id"] for run in rest["runs"]] == [ids[0]]
    assert rest["next"] is None
    (failed,) = gateway.http.get("/runs?pipeline=listed&status=failed,cancelled").json()["runs"]
    assert failed["failure"] == {"reason": "x", "where": "a"}
    assert gateway.http.get("/runs?status=done").status_code == 422
    assert gateway.http.get("/runs?cursor=zzz").status_code == 422
    assert gateway.http.get("/runs?limit=0").status_code == 422


def test_without_the_history_runs_of_the_log_are_there(gateway: MemoryGateway) -> None:
    """A run that this gateway saw from its beginning needs no history; the list of runs does, and is 503."""
    run = gateway.submit()
    gateway.history.unavailable = True
    try:
        assert gateway.http.get(f"/runs/{run.id}").status_code == 200
        answer = gateway.http.get("/runs")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:millrace:away")
        assert "retry-after" in answer.headers
    finally:
        gateway.history.unavailable = False


def test_clients_are_bounded(tmp_path: Path) -> None:
    """Where all slots are taken, a stream is 503, and a wait for a new run's result is a 202."""
    with memory_gateway(tmp_path, Limits(clients=1)) as gateway:
        gateway.define("pipeline: greet\ninput: {name: string}\nnodes: {}\noutput: {text: '${name}'}\n")
        run = gateway.submit()
        with gateway.components.following.streams.slot("elsewhere"):
            busy = gateway.http.get(f"/runs/{run.id}/events")
            assert (busy.status_code, busy.json()["type"]) == (503, "urn:millrace:busy")
            headers = {"prefer": "wait=5"}
            accepted = gateway.http.post("/pipelines/greet/runs", json={"name": "Ada"}, headers=headers)
            assert accepted.status_code == 202
