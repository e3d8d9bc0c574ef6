"""Parts that die under a gateway: what was promised holds, calls say what is away, and all goes on afterwards."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from infra.local.running import RunningStack
from schemas.contracts import load_contracts
from streams.messages import Event, EventKind
from tests.integration.support.gateway_world import (
    FINISHED,
    GREET,
    PASS,
    GatewayWorld,
    events,
    gateway_world,
    png,
    wait,
)
from tests.stacks import frozen

pytestmark = pytest.mark.slow
CONTRACTS = load_contracts()
YAML = {"content-type": "application/yaml"}


@pytest.fixture(scope="module")
def world(breakable: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Two gateways on it."""
    with gateway_world(breakable.settings, tmp_path_factory.mktemp("home")) as made:
        for name, text in (("greet", GREET), ("pass-photo", PASS)):
            assert made.first.http.put(f"/pipelines/{name}", content=text, headers=YAML).status_code == 201
            wait(
                lambda name=name: made.second.http.get(f"/pipelines/{name}").status_code == 200, "the other one sees it"
            )
        yield made


def recovers(world: GatewayWorld) -> None:
    """Both gateways are ready, and a run goes through."""
    for gateway in (world.first, world.second):
        wait(lambda gateway=gateway: gateway.http.get("/health/ready").status_code == 200, "the gateway is ready", 60)
    photo = {"photo": ("p", png(4, 4))}
    answers: list[httpx.Response] = []

    def taken() -> bool:
        answers.append(world.first.http.post("/pipelines/pass-photo/runs", files=photo))
        assert answers[-1].status_code in (202, 503), answers[-1].text
        return answers[-1].status_code == 202

    wait(taken, "a run is taken", 60)
    run = world.run(answers[-1].json()["id"], "pass-photo")
    world.finish(run, {"n": 1})
    assert world.second.http.get(f"/runs/{run.id}/result", headers={"prefer": "wait=20"}).json()["output"] == {"n": 1}


def test_a_stream_outlives_the_broker(breakable: RunningStack, world: GatewayWorld) -> None:
    """A client that follows a run while Kafka is killed and comes back sees the rest of it, once; what ended is shown."""
    ended, run = world.submit(), world.submit()
    world.finish(ended)
    assert world.first.http.get(f"/runs/{ended.id}/result").status_code == 200
    seen: list[dict[str, Any]] = []

    def follow() -> None:
        with world.first.client().stream("GET", f"/runs/{run.id}/events", timeout=120) as stream:
            seen.extend(one for one in events(stream.iter_lines()) if one["event"] != "ping")

    following = threading.Thread(target=follow)
    following.start()
    wait(lambda: world.first.app.components.following.streams.open == 1, "the stream is open")
    breaking = threading.Thread(target=breakable.restart, args=("kafka",), kwargs={"kill": True})
    breaking.start()
    while breaking.is_alive():
        assert world.first.http.get(f"/runs/{ended.id}/result").status_code == 200  # held, whole and over
        breaking.join(0.2)
    step = Event(run, EventKind.FINISHED, "a", path="a", data={"output": 1})
    world.loop(publish_events(world, step, step, Event(run, FINISHED, data={"output": {}})), 90)
    following.join(90)
    assert [one["event"] for one in seen] == ["run.accepted", "node.finished", "run.finished"]
    recovers(world)


async def publish_events(world: GatewayWorld, *what: Event) -> None:
    """Publish events one after another."""
    for event in what:
        await world.connections.producer.send(await world.connections.wire.event(event))


@pytest.mark.parametrize(
    ("part", "path"), [("postgres", "/runs"), ("s3", "/objects/{bucket}/runs/x/" + "0" * 64)], ids=["postgres", "s3"]
)
def test_a_part_that_dies_is_reported_unavailable(
    breakable: RunningStack, world: GatewayWorld, part: str, path: str
) -> None:
    """While PostgreSQL or S3 is away the calls that need it are 503 or wait; others go on; then all goes on."""
    path = path.format(bucket=world.connections.store.bucket)
    breaking = threading.Thread(target=breakable.restart, args=(part,), kwargs={"kill": True})
    breaking.start()
    while breaking.is_alive():
        assert world.first.http.get(path).status_code in (200, 404, 503)
        assert world.first.http.post("/pipelines/greet/runs", json={"name": "x"}).status_code == 202
        breaking.join(0.05)
    recovers(world)


def said(world: GatewayWorld, run: str) -> dict[str, list[str]]:
    """What `explain` says is away, by part; the gateway asks its parts every few seconds."""
    away: dict[str, list[str]] = world.first.http.get(f"/runs/{run}/explain").json()["away"]
    return away


def test_a_waiting_run_says_which_part_is_unavailable(breakable: RunningStack, world: GatewayWorld) -> None:
    """While S3 does not answer, `explain` of a run under way names it, and so do workers that wait for it."""
    contract = CONTRACTS["image-greyscale"]
    announcer = world.announce(contract, worker="waits", waiting_for=("s3",))
    wait(lambda: world.first.http.get("/services/image-greyscale").status_code == 200, "the service is live")
    text = 'pipeline: greyed\ninput: {photo: image}\nnodes: {g: {service: image-greyscale, with: {image: "${photo}"}}}\noutput: {i: "${g.image}"}\n'
    assert world.first.http.put("/pipelines/greyed", content=text, headers=YAML).status_code == 201
    run = world.first.http.post("/pipelines/greyed/runs", files={"photo": ("p", png(4, 4))}).json()["id"]
    with frozen(breakable, "s3"):
        # The parts are asked every few seconds, so it is known a moment later.
        wait(lambda: any("the gateway gets no answer" in why for why in said(world, run).get("s3", ())), "S3 is missed")
        away = said(world, run)
    assert "image-greyscale on waits waits for it" in away["s3"]
    world.loop(announcer.stop())
    wait(lambda: "s3" not in said(world, run), "it is back")


def test_a_frozen_broker_is_reported_and_no_run_is_half_started(breakable: RunningStack, world: GatewayWorld) -> None:
    """The gateway says that it is not ready; who begins a run is told soon that nothing was begun, or which run may still come."""
    keyed: dict[str, Any] = {"json": {"name": "key"}, "headers": {"idempotency-key": uuid.uuid4().hex}}
    headers = {"authorization": f"Bearer {world.first.key}"}
    with httpx.Client(base_url=world.first.url, timeout=9, headers=headers) as http, frozen(breakable, "kafka"):
        first = http.post("/pipelines/greet/runs", **keyed)
        wait(lambda: "kafka" in http.get("/health/ready").json().get("missing", {}), "Kafka is missed", 9)
        second = http.post("/pipelines/greet/runs", json={"name": "no key"})
    for answer in (first, second):
        assert answer.status_code == 503, answer.text
        assert answer.headers["retry-after"]
    assert "Nothing was begun" in second.json()["detail"]
    assert "id" not in second.json()
    received = first.json().get("id")
    recovers(world)
    again = world.first.http.post("/pipelines/greet/runs", **keyed)
    assert again.status_code in (202, 409), again.text
    assert received in (None, again.json()["id"])
    run = world.run(again.json()["id"])
    world.finish(run, {"text": "hello key"})
    assert (
        world.second.http.get(f"/runs/{run.id}/result", headers={"prefer": "wait=20"}).json()["output"]["text"]
        == "hello key"
    )
