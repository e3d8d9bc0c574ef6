"""Submitting runs, their state and result, on two gateways."""

import concurrent.futures
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.submission.submit import keyed_run
from streams.messages import Action, Event, EventKind
from streams.runtime.kafka.partitioner import partition_of
from streams.wire.codec import RUN
from streams.wire.records import Place
from tests.integration.support.gateway_services import ECHO
from tests.integration.support.gateway_world import FAILED, FINISHED, Gateway, GatewayWorld, events, wait

K = EventKind


def test_submit_on_one_and_follow_on_the_other(gateways: GatewayWorld) -> None:
    """A run accepted by one gateway is known to the other at once, and its events come there to the last one."""
    world = gateways
    answer = world.first.http.post("/pipelines/greet/runs", json={"name": "Ada"})
    assert answer.status_code == 202, answer.text
    document = answer.json()
    run = world.run(document["id"])
    assert answer.headers["location"] == f"/runs/{run.id}"
    assert world.second.http.get(document["links"]["self"]).json()["status"] == "accepted"
    with world.second.http.stream("GET", document["links"]["events"]) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        seen = events(stream.iter_lines())
        first = next(seen)
        assert first["event"] == "run.accepted"
        assert first["data"]["run"] == run.id
        assert first["data"]["input"] == {"name": "Ada", "times": 1}
        world.tell(
            Event(run, K.FINISHED, "hello", path="hello", data={"output": "hello Ada"}),
            Event(run, FINISHED, data={"output": {"text": "hello Ada"}}),
        )
        rest = list(seen)
    assert [one["event"] for one in rest] == ["node.finished", "run.finished"]
    assert rest[1]["data"]["output"] == {"text": "hello Ada"}
    assert first["id"] < rest[0]["id"] < rest[1]["id"]
    for gateway in (world.first, world.second):
        result = gateway.http.get(f"/runs/{run.id}/result")
        assert (result.status_code, result.json()["output"]) == (200, {"text": "hello Ada"})


def test_the_request_is_one_typed_record_keyed_by_the_run(gateways: GatewayWorld) -> None:
    """What flow gets is one Avro record of the pipeline's input, with the run's id as key and in our header."""
    world = gateways
    run = world.submit(json={"name": "Grace", "times": 3})
    place = Place(world.connections.names.requests("greet"), partition_of(run.id, world.settings.partitions))
    end = world.loop(world.connections.offsets.ends([place]))[place]
    found = [one for one in world.loop(world.connections.offsets.read(place, 0, end)) if one.key == run.id.encode()]
    assert len(found) == 1
    assert found[0].header(RUN) == run.id.encode()
    assert world.loop(world.connections.codec.decode(found[0].value or b"")) == {"name": "Grace", "times": 3}


def test_a_service_is_run_like_a_pipeline_of_its_name(gateways: GatewayWorld) -> None:
    """A service that only just came can be run at once: its pipeline of one node is made when nobody has."""
    world = gateways
    world.announce(ECHO)
    wait(lambda: world.first.http.get("/services/echo").status_code == 200, "the service is seen")
    answer = world.first.http.post("/services/echo/runs", json={"text": "hi"})
    assert answer.status_code == 202, answer.text
    assert world.second.http.get(answer.json()["links"]["self"]).json()["pipeline"] == "echo"
    wait(lambda: world.second.http.get("/pipelines/echo").status_code == 200, "its pipeline is seen by the other")
    assert world.second.http.post("/pipelines/echo/runs", json={"text": "hi"}).status_code == 202
    bad = world.second.http.post("/services/echo/runs", json={})
    assert (bad.status_code, bad.json()["errors"][0]["where"]) == (422, "text")


def test_an_event_stream_as_the_answer(gateways: GatewayWorld) -> None:
    """`Accept: text/event-stream` on the submission answers with the run's events themselves."""
    world = gateways
    headers = {"accept": "text/event-stream"}
    with world.first.http.stream("POST", "/pipelines/greet/runs", json={"name": "Ada"}, headers=headers) as stream:
        assert stream.status_code == 200
        seen = events(stream.iter_lines())
        first = next(seen)
        assert stream.headers["location"] == f"/runs/{first['data']['run']}"
        world.finish(world.run(first["data"]["run"]))
        assert [one["event"] for one in seen] == ["run.finished"]


def test_waiting_for_the_result(gateways: GatewayWorld) -> None:
    """`Prefer: wait` answers with the result when the run ends in time, and 202 when it does not."""
    world = gateways
    late = world.first.http.post("/pipelines/greet/runs", json={"name": "x"}, headers={"prefer": "wait=0"})
    assert late.status_code == 202
    run = world.submit()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(world.second.http.get, f"/runs/{run.id}/result", headers={"prefer": "wait=15"})
        world.finish(run, {"text": "now"})
        assert waiting.result(20).json()["output"] == {"text": "now"}
    key = str(uuid.uuid4())
    headers = {"prefer": "wait=15", "idempotency-key": key}
    expected = world.run(keyed_run(world.first.app.components.access.authenticator.owner, key))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(world.first.http.post, "/pipelines/greet/runs", json={"name": "x"}, headers=headers)
        wait(lambda: world.second.http.get(f"/runs/{expected.id}").status_code == 200, "the run is accepted")
        world.finish(expected, {"text": "later"})
        answer = waiting.result(20)
    assert (answer.status_code, answer.json()["output"]) == (200, {"text": "later"})
    assert answer.headers["preference-applied"] == "wait=15"


@pytest.mark.parametrize(("fault", "status"), [("caller", 422), ("service", 502), ("pipeline", 500)])
def test_a_failed_run_is_a_problem(gateways: GatewayWorld, fault: str, status: int) -> None:
    """The result of a failed run is a problem whose status says whose fault it was, with place and hint."""
    world = gateways
    run = world.submit()
    world.tell(
        Event(run, FAILED, data={"reason": "it broke", "fault": fault, "at": "faces[3].thumb", "hint": "mend it"})
    )
    answer = world.second.http.get(f"/runs/{run.id}/result")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["errors"] == [{"where": "faces[3].thumb", "problem": "it broke", "hint": "mend it"}]
    assert document["id"] == run.id
    assert world.first.http.get(f"/runs/{run.id}").json()["status"] == "failed"


def test_a_result_that_is_not_there_yet(gateways: GatewayWorld) -> None:
    """The result of a run that goes on is a 409 that says how it stands and where to follow it."""
    run = gateways.submit()
    answer = gateways.first.http.get(f"/runs/{run.id}/result")
    assert answer.status_code == 409
    assert answer.json()["run_status"] == "accepted"
    assert answer.json()["links"]["events"] == f"/runs/{run.id}/events"


@pytest.mark.parametrize("path", ["", "/events", "/result"])
def test_an_unknown_run(gateways: GatewayWorld, path: str) -> None:
    """A run that does not exist is a 404, not an empty stream."""
    answer = gateways.first.http.get(f"/runs/{uuid.uuid4()}{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_cancelling(gateways: GatewayWorld) -> None:
    """A cancellation is published for flow; a run that is over cannot be cancelled."""
    world = gateways
    run = world.submit()
    assert world.second.http.delete(f"/runs/{run.id}").status_code == 202
    place = Place(world.connections.topic("run.control"), partition_of(run.id, world.settings.partitions))
    end = world.loop(world.connections.offsets.ends([place]))[place]
    found = [one for one in world.loop(world.connections.offsets.read(place, 0, end)) if one.key == run.id.encode()]
    assert [world.loop(world.connections.wire.read_control(one)).action for one in found] == [Action.CANCEL]
    world.tell(Event(run, K.RUN_CANCELLED, data={"reason": "cancelled"}))
    again = world.first.http.delete(f"/runs/{run.id}")
    assert (again.status_code, again.json()["run_status"]) == (409, "cancelled")
    assert world.first.http.get(f"/runs/{run.id}/result").status_code == 409


def test_the_state_of_every_node(gateways: GatewayWorld) -> None:
    """A run's detail says of each node execution what went in, what came out, and how long it took."""
    world = gateways
    run = world.submit()
    world.tell(
        Event(run, K.STARTED, "a", path="a", attempt=1, data={"service": "echo", "input": {"text": "x"}}),
        Event(run, K.RETRYING, "a", path="a", attempt=1, data={"reason": "slow", "delay": 1.0}),
        Event(run, K.STARTED, "a", path="a", attempt=2, data={"service": "echo", "input": {"text": "x"}}),
        Event(run, K.FINISHED, "a", path="a", attempt=2, data={"output": {"text": "x"}}),
        Event(run, K.SKIPPED, "b", path="b", data={"reason": "when: false"}),
        Event(run, K.WAITING, data={"service": "nobody"}),
    )
    document = world.second.http.get(f"/runs/{run.id}").json()
    assert (document["status"], document["waiting_for"]) == ("waiting", "nobody")
    assert document["pipeline"] == "greet"
    assert document["counts"] == {"finished": 1, "skipped": 1}
    a, b = document["nodes"]
    assert (a["service"], a["attempt"], a["input"], a["output"]) == ("echo", 2, {"text": "x"}, {"text": "x"})
    assert b["reason"] == "when: false"


# Idempotency ---------------------------------------------------------------------------------------------------


def post(gateway: Any, key: str, body: Any, name: str = "greet", **headers: str) -> Any:
    """A submission with an idempotency key."""
    return gateway.http.post(f"/pipelines/{name}/runs", json=body, headers={"idempotency-key": key, **headers})


def test_the_same_key_is_the_same_run(gateways: GatewayWorld) -> None:
    """While the run goes on a repeated key is a 409 on any gateway; when it has ended, its result."""
    world = gateways
    key = str(uuid.uuid4())
    first = post(world.first, key, {"name": "Ada"})
    assert first.status_code == 202
    for gateway in (world.first, world.second):
        again = post(gateway, key, {"times": 1, "name": "Ada"})  # the same input, said otherwise
        assert (again.status_code, again.json()["id"]) == (409, first.json()["id"])
    world.finish(world.run(first.json()["id"]), {"text": "once"})
    for gateway in (world.first, world.second):
        done = post(gateway, key, {"name": "Ada"})
        assert (done.status_code, done.json()["output"]) == (200, {"text": "once"})
        assert done.json()["id"] == first.json()["id"]


def test_a_key_for_another_request_is_refused(gateways: GatewayWorld) -> None:
    """The same key with another input or another pipeline is a 422, running or ended."""
    world = gateways
    key = str(uuid.uuid4())
    first = post(world.first, key, {"name": "Ada"})
    assert post(world.second, key, {"name": "Bob"}).status_code == 422
    assert post(world.second, key, {"photo": "data:image/png;base64,"}, "pass-photo").status_code == 422
    world.finish(world.run(first.json()["id"]))
    answer = post(world.first, key, {"name": "Bob"})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:millrace:key-reused")


def test_a_failed_run_keeps_its_key(gateways: GatewayWorld) -> None:
    """A repeated key of a run that failed gives the same failure: it is not run again."""
    world = gateways
    key = str(uuid.uuid4())
    first = post(world.first, key, {"name": "Ada"})
    world.tell(Event(world.run(first.json()["id"]), FAILED, data={"reason": "no", "fault": "caller"}))
    assert post(world.second, key, {"name": "Ada"}).status_code == 422


def test_of_many_at_once_one_wins(gateways: GatewayWorld) -> None:
    """Twelve submissions with one key at once, on both gateways, make one run: one 202, the others 409."""
    world = gateways
    key = str(uuid.uuid4())
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: post((world.first, world.second)[n % 2], key, {"name": "Ada"}), range(12)))
    assert sorted(one.status_code for one in answers) == [202] + [409] * 11
    assert len({one.json()["id"] for one in answers}) == 1


def test_of_different_requests_at_once_one_wins(gateways: GatewayWorld) -> None:
    """With one key and different inputs at once, one is taken and every other one is refused as another request."""
    world = gateways
    key = str(uuid.uuid4())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: post((world.first, world.second)[n % 2], key, {"name": f"n{n}"}), range(8)))
    assert sorted(one.status_code for one in answers) == [202] + [422] * 7


def test_an_acceptance_whose_gateway_died_is_completed(gateways: GatewayWorld) -> None:
    """When only the acceptance of a keyed run is known, trying again asks flow again, so that it is not lost."""
    world = gateways
    key = str(uuid.uuid4())
    run = world.run(keyed_run(world.first.app.components.access.authenticator.owner, key))
    world.tell(Event(run, K.ACCEPTED, data={"pipeline": "greet"}))
    assert post(world.second, key, {"name": "Ada"}).status_code == 409
    place = Place(world.connections.names.requests("greet"), partition_of(run.id, world.settings.partitions))
    end = world.loop(world.connections.offsets.ends([place]))[place]
    assert [one.key for one in world.loop(world.connections.offsets.read(place, 0, end))].count(run.id.encode()) == 1


def test_a_key_outlives_its_gateway(gateways: GatewayWorld, tmp_path: Path) -> None:
    """A gateway that is started later knows the keys that others have seen, running and ended."""
    world = gateways
    keys = [str(uuid.uuid4()) for _ in range(2)]
    runs = [world.run(post(world.first, key, {"name": "Ada"}).json()["id"]) for key in keys]
    world.finish(runs[1], {"text": "before"})
    (tmp_path / "api-key").write_text(world.first.key)
    later = Gateway(replace(world.settings, home=tmp_path)).ready()
    try:
        assert post(later, keys[0], {"name": "Ada"}).status_code == 409
        assert post(later, keys[0], {"name": "Bob"}).status_code == 422
        assert post(later, keys[1], {"name": "Ada"}).json()["output"] == {"text": "before"}
    finally:
        later.stop()


# The list ------------------------------------------------------------------------------------------------------


def test_listing_runs(gateways: GatewayWorld) -> None:
    """Runs come from the history, newest first, in pages that neither repeat nor leave out, filtered as asked."""
    world = gateways
    name = f"listed-{uuid.uuid4().hex[:8]}"
    made = [world.run(pipeline=name) for _ in range(7)]
    for number, run in enumerate(made):
        received = [(1000 + number, Event(run, K.ACCEPTED, data={}))]
        world.record(run, [*received, (2000 + number, Event(run, FINISHED, data={}))] if number % 2 else received)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = world.second.http.get("/runs", params={"pipeline": name, "limit": 3, **cursor}).json()
        seen += [one["id"] for one in page["runs"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [run.id for run in reversed(made)]
    finished = world.first.http.get("/runs", params={"pipeline": name, "status": "finished"}).json()["runs"]
    assert {one["id"] for one in finished} == {run.id for run in made[1::2]}
    both = world.first.http.get("/runs", params={"pipeline": name, "status": "finished,running"}).json()["runs"]
    assert len(both) == 7
    assert (
        world.first.http.get("/runs", params={"pipeline": name, "since": "2999-01-01T00:00:00Z"}).json()["runs"] == []
    )


@pytest.mark.parametrize(
    "parameters",
    [{"status": "done"}, {"limit": "0"}, {"limit": "x"}, {"cursor": "?"}, {"cursor": "eHg="}, {"since": "yesterday"}],
)
def test_a_list_asked_for_wrongly(gateways: GatewayWorld, parameters: dict[str, str]) -> None:
    """A parameter that cannot be understood is a 422 that names it."""
    answer = gateways.first.http.get("/runs", params=parameters)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert next(iter(parameters)) in answer.json()["errors"][0]["where"]


def test_a_run_that_flow_has_not_taken_says_so(gateways: GatewayWorld) -> None:
    """While nobody hosts flow, a run says that it has not begun, and how much stands before flow."""
    world = gateways
    run = world.submit()
    (only,) = world.second.http.get(f"/runs/{run.id}/explain").json()["waits"]
    assert (only["why"], only["topic"], only["lag"] >= 1) == ("begin", world.connections.names.requests("greet"), True)
    assert "flow" in only["text"]
    assert world.first.http.get(f"/runs/{uuid.uuid4()}/explain").status_code == 404
