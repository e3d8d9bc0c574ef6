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
from tests.integration.support.gateway_world import FINISHED, GREET, PASS, World, events, png, wait, world
from tests.stacks import frozen

pytestmark = pytest.mark.slow
CONTRACTS = load_contracts()
YAML = {"content-type": "application/yaml"}


@pytest.fixture(scope="module")
def w(breakable: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two gateways on it."""
    with world(breakable.settings, tmp_path_factory.mktemp("home")) as made:
        for name, text in (("greet", GREET), ("pass-photo", PASS)):
            assert made.one.http.put(f"/pipelines/{name}", content=text, headers=YAML).status_code == 201
            wait(lambda name=name: made.two.http.get(f"/pipelines/{name}").status_code == 200, "the other one sees it")
        yield made


def recovers(w: World) -> None:
    """Both gateways are ready, and a run goes through."""
    for gateway in (w.one, w.two):
        wait(lambda gateway=gateway: gateway.http.get("/health/ready").status_code == 200, "the gateway is ready", 60)
    photo = {"photo": ("p", png(4, 4))}
    answers: list[httpx.Response] = []

    def taken() -> bool:
        answers.append(w.one.http.post("/pipelines/pass-photo/runs", files=photo))
        assert answers[-1].status_code in (202, 503), answers[-1].text
        return answers[-1].status_code == 202

    wait(taken, "a run is taken", 60)
    run = w.run(answers[-1].json()["id"], "pass-photo")
    w.finish(run, {"n": 1})
    assert w.two.http.get(f"/runs/{run.id}/result", headers={"prefer": "wait=20"}).json()["output"] == {"n": 1}


def test_a_stream_outlives_the_broker(breakable: RunningStack, w: World) -> None:
    """A client that follows a run while Kafka is killed and comes back sees the rest of it, once; what ended is shown."""
    ended, run = w.submit(), w.submit()
    w.finish(ended)
    assert w.one.http.get(f"/runs/{ended.id}/result").status_code == 200
    seen: list[dict[str, Any]] = []

    def follow() -> None:
        with w.one.client().stream("GET", f"/runs/{run.id}/events", timeout=120) as stream:
            seen.extend(one for one in events(stream.iter_lines()) if one["event"] != "ping")

    following = threading.Thread(target=follow)
    following.start()
    wait(lambda: w.one.app.components.following.streams.open == 1, "the stream is open")
    breaking = threading.Thread(target=breakable.restart, args=("kafka",), kwargs={"kill": True})
    breaking.start()
    while breaking.is_alive():
        assert w.one.http.get(f"/runs/{ended.id}/result").status_code == 200  # held, whole and over
        breaking.join(0.2)
    step = Event(run, EventKind.FINISHED, "a", path="a", data={"output": 1})
    w.loop(told(w, step, step, Event(run, FINISHED, data={"output": {}})), 90)
    following.join(90)
    assert [one["event"] for one in seen] == ["run.accepted", "node.finished", "run.finished"]
    recovers(w)


async def told(w: World, *what: Event) -> None:
    """Publishes events one after another."""
    for event in what:
        await w.parts.producer.send(await w.parts.wire.event(event))


@pytest.mark.parametrize(
    ("part", "path"), [("postgres", "/runs"), ("s3", "/objects/{bucket}/runs/x/" + "0" * 64)], ids=["postgres", "s3"]
)
def test_a_part_that_dies_is_said_to_be_away(breakable: RunningStack, w: World, part: str, path: str) -> None:
    """While PostgreSQL or S3 is away the calls that need it are 503 or wait; others go on; then all goes on."""
    path = path.format(bucket=w.parts.store.bucket)
    breaking = threading.Thread(target=breakable.restart, args=(part,), kwargs={"kill": True})
    breaking.start()
    while breaking.is_alive():
        assert w.one.http.get(path).status_code in (200, 404, 503)
        assert w.one.http.post("/pipelines/greet/runs", json={"name": "x"}).status_code == 202
        breaking.join(0.05)
    recovers(w)


def said(w: World, run: str) -> dict[str, list[str]]:
    """What `explain` says is away, by part; the gateway asks its parts every few seconds."""
    away: dict[str, list[str]] = w.one.http.get(f"/runs/{run}/explain").json()["away"]
    return away


def test_a_run_that_waits_says_which_part_is_away(breakable: RunningStack, w: World) -> None:
    """While S3 does not answer, `explain` of a run under way names it, and so do workers that wait for it."""
    contract = CONTRACTS["image-greyscale"]
    announcer = w.announce(contract, worker="waits", waiting_for=("s3",))
    wait(lambda: w.one.http.get("/services/image-greyscale").status_code == 200, "the service is live")
    text = 'pipeline: greyed\ninput: {photo: image}\nnodes: {g: {service: image-greyscale, with: {image: "${photo}"}}}\noutput: {i: "${g.image}"}\n'
    assert w.one.http.put("/pipelines/greyed", content=text, headers=YAML).status_code == 201
    run = w.one.http.post("/pipelines/greyed/runs", files={"photo": ("p", png(4, 4))}).json()["id"]
    with frozen(breakable, "s3"):
        # The parts are asked every few seconds, so it is known a moment later.
        wait(lambda: any("the gateway gets no answer" in why for why in said(w, run).get("s3", ())), "S3 is missed")
        away = said(w, run)
    assert "image-greyscale on waits waits for it" in away["s3"]
    w.loop(announcer.stop())
    wait(lambda: "s3" not in said(w, run), "it is back")


def test_a_broker_that_stands_still_is_told_and_nothing_is_half_begun(breakable: RunningStack, w: World) -> None:
    """The gateway says that it is not ready; who begins a run is told soon that nothing was begun, or which run may still come."""
    keyed: dict[str, Any] = {"json": {"name": "key"}, "headers": {"idempotency-key": uuid.uuid4().hex}}
    headers = {"authorization": f"Bearer {w.one.key}"}
    with httpx.Client(base_url=w.one.url, timeout=9, headers=headers) as http, frozen(breakable, "kafka"):
        first = http.post("/pipelines/greet/runs", **keyed)
        wait(lambda: "kafka" in http.get("/health/ready").json().get("missing", {}), "Kafka is missed", 9)
        second = http.post("/pipelines/greet/runs", json={"name": "no key"})
    for answer in (first, second):
        assert answer.status_code == 503, answer.text
        assert answer.headers["retry-after"]
    assert "Nothing was begun" in second.json()["detail"]
    assert "id" not in second.json()
    told = first.json().get("id")
    recovers(w)
    again = w.one.http.post("/pipelines/greet/runs", **keyed)
    assert again.status_code in (202, 409), again.text
    assert told in (None, again.json()["id"])
    run = w.run(again.json()["id"])
    w.finish(run, {"text": "hello key"})
    assert (
        w.two.http.get(f"/runs/{run.id}/result", headers={"prefer": "wait=20"}).json()["output"]["text"] == "hello key"
    )
