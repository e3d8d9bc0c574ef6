"""Why a run waits, repeating it, and cancelling it: on real brokers, over HTTP."""

import contextlib
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.integration.support.gateway_world import GatewayWorld, png, wait
from tests.integration.support.gateways_with_worker import (
    ended,
    events_of,
    gateways_with_worker,
    has,
    put,
    state,
    submit,
    worker,
)

__all__ = ["gateways_with_worker"]

CHAIN = """
pipeline: NAME
input: {n: int, seconds: {type: float, default: 0.0}}
nodes:
  a: {service: add-one, with: {n: "${n}"}}
  nap: {service: naps, with: {seconds: "${seconds}"}}
  b: {service: add-one, with: {n: "${a.n}"}}
  big: {service: add-one, when: a.n > 100, with: {n: "${a.n * 10}"}}
output: {n: "${b.n}", big: "${first(big.n, 0)}", slept: "${nap.seconds}"}
"""


def fresh(world: GatewayWorld, text: str) -> str:
    """A pipeline of this text, with a fresh name."""
    name = f"e-{uuid.uuid4().hex[:8]}"
    put(world, text.replace("NAME", name))
    return name


def explained(world: GatewayWorld, run: str) -> dict[str, Any]:
    """What `explain` says now."""
    answer = world.second.http.get(f"/runs/{run}/explain")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def waiting(
    world: GatewayWorld, run: str, why: str, also: Callable[[dict[str, Any]], Any] = lambda _: True
) -> dict[str, Any]:
    """The first thing of this kind that a run waits for, once there is one."""

    def look() -> dict[str, Any] | None:
        return next(
            (reason for reason in explained(world, run).get("waits", ()) if reason["why"] == why and also(reason)), None
        )

    reason: dict[str, Any] = wait(look, lambda: explained(world, run))
    return reason


def test_a_run_says_what_it_waits_for_and_what_it_skipped(gateways_with_worker: GatewayWorld) -> None:
    """While a service works: which join waits, who is at it since when; what was skipped, by which condition and values."""
    world = gateways_with_worker
    run = submit(world, fresh(world, CHAIN), n=1, seconds=6.0)
    running = waiting(world, run, "running")
    assert (running["path"], running["service"], running["attempt"], running["workers"]) == ("nap", "naps", 1, 1)
    join = waiting(world, run, "join", lambda reason: "nap" in reason["missing"])
    assert join["path"] == ""
    skipped = wait(lambda: explained(world, run)["skipped"])[0]
    assert (skipped["path"], skipped["when"], skipped["values"]) == ("big", "a.n > 100", {"a.n": 2})
    assert "nap" in running["text"]
    assert ended(world, run)["output"] == {"n": 3, "big": 0, "slept": 6.0}
    over = explained(world, run)
    assert (over["status"], "waits" in over, len(over["skipped"])) == ("finished", False, 1)


def test_a_task_in_a_queue_says_how_many_are_before_it(gateways_with_worker: GatewayWorld) -> None:
    """With the only worker busy, a queued task tells its partition and how many records stand before it."""
    world = gateways_with_worker
    name = fresh(
        world,
        'pipeline: NAME\ninput: {seconds: float}\nnodes: {nap: {service: naps, with: {seconds: "${seconds}"}}}\noutput: {s: "${nap.seconds}"}\n',
    )
    first = submit(world, name, seconds=28.0)
    waiting(world, first, "running")
    others = [submit(world, name, seconds=0.0) for _ in range(24)]  # more than a worker takes in hand

    def queued() -> list[dict[str, Any]]:
        reasons = [reason for run in others for reason in explained(world, run).get("waits", ()) if "ahead" in reason]
        return reasons if len(reasons) > 8 else []

    reasons = wait(queued, "most of them stand in the queue")
    assert all(reason["service"] == "naps" and reason["lag"] >= reason["ahead"] + 1 for reason in reasons)
    assert len({(reason["partition"], reason["ahead"]) for reason in reasons}) == len(reasons)
    assert "ahead of it in partition" in reasons[0]["text"]
    assert world.first.http.delete(f"/runs/{first}").status_code == 202
    assert all(ended(world, run)["status"] == "finished" for run in others)


def test_a_service_without_a_worker(gateways_with_worker: GatewayWorld, tmp_path: Path) -> None:
    """A task for a service whose worker is gone says so; a loop says how many items are outstanding."""
    world = gateways_with_worker
    with worker(world, tmp_path / "greyscale.log", "image-greyscale"):
        wait(lambda: world.first.http.get("/services/image-greyscale").status_code == 200, "it is live")
    wait(lambda: world.first.http.get("/services/image-greyscale").status_code == 404, "it is gone")
    name = fresh(
        world,
        """
pipeline: NAME
input: {photos: [image]}
nodes:
  grey:
    each: {photo: "${photos}"}
    nodes: {one: {service: image-greyscale, with: {image: "${photo}"}}}
    output: "${one.image}"
output: {images: "${grey}"}
""",
    )
    files = [("photos", ("a", png(4, 4, shade))) for shade in range(5)]
    run = world.first.http.post(f"/pipelines/{name}/runs", files=files).json()["id"]
    loop = waiting(world, run, "loop", lambda reason: reason.get("items"))
    assert (loop["items"], loop["ended"], loop["under_way"]) == (5, 0, 5)
    queued = waiting(world, run, "queued", lambda reason: "ahead" in reason)
    assert queued["workers"] == 0
    assert "no live worker" in queued["text"]
    assert world.first.http.delete(f"/runs/{run}").status_code == 202
    last = explained(world, run) if ended(world, run) else {}
    assert (last["status"], last["failure"]["reason"]) == ("cancelled", "cancelled")


def test_a_worker_that_is_killed_is_missed_within_seconds(gateways_with_worker: GatewayWorld, tmp_path: Path) -> None:
    """A run in its queue gets an event that it waits for a worker, and explain says that there is none."""
    world = gateways_with_worker
    with worker(world, tmp_path / "victim.log", "image-greyscale") as victim:
        wait(lambda: world.first.http.get("/services/image-greyscale").status_code == 200, "it is live")
        victim.send_signal(signal.SIGSTOP)
        photo = {"image": ("p", png(4, 4))}
        run = world.first.http.post("/services/image-greyscale/runs", files=photo).json()["id"]
        queued = waiting(world, run, "queued")
        assert queued["workers"] == 1
        assert not has(world, run, "run.waiting")
        victim.kill()
        # Its last announcement stands for a minute and a half.
        waiting(world, run, "queued", lambda reason: reason["workers"] == 0 and "no live worker" in reason["text"])
        wait(lambda: has(world, run, "run.waiting"), lambda: state(world, run))
        assert world.first.http.get("/services/image-greyscale").status_code == 200
    with worker(world, tmp_path / "heir.log", "image-greyscale"):
        assert ended(world, run)["status"] == "finished"


def test_a_retry_says_when_it_is_due(gateways_with_worker: GatewayWorld) -> None:
    """Between two attempts a run says when the next one is due, which one it is, and why; when it has failed, how."""
    world = gateways_with_worker
    text = 'pipeline: NAME\ninput: {text: string}\nnodes: {taste: {service: poison, with: {text: "${text}"}, retry: {attempts: 2, backoff: 4s}}}\noutput: {t: "${taste.text}"}\n'
    run = submit(world, fresh(world, text), text="fail")
    retry = waiting(world, run, "retry")
    assert (retry["attempt"], retry["attempts"], retry["overdue"]) == (2, 2, False)
    assert "it broke" in retry["reason"]
    assert ended(world, run)["status"] == "failed"
    over = explained(world, run)
    assert over["failed"][0]["path"] == "taste"
    assert "it broke" in over["failure"]["reason"]


def test_a_run_is_repeated_from_a_node_on(gateways_with_worker: GatewayWorld) -> None:
    """The new run takes over what does not come after the node, executes the rest, and both say that they belong together."""
    world = gateways_with_worker
    old = submit(world, fresh(world, CHAIN), n=1)
    assert ended(world, old)["output"]["n"] == 3
    answer = world.first.http.post(f"/runs/{old}/replay", json={"from": "b", "set": {"a.n": 40}})
    assert answer.status_code == 202, answer.text
    replay = answer.json()
    assert (replay["reused"], replay["replay_of"], answer.headers["location"]) == (
        ["a", "nap"],
        old,
        f"/runs/{replay['id']}",
    )
    new = ended(world, replay["id"])
    assert (new["output"]["n"], new["replay_of"], new["replay"]) == (41, old, {"from": "b", "set": ["a.n"]})
    executed = {event["data"]["path"] for event in events_of(world, replay["id"]) if event["event"] == "node.started"}
    assert executed == {"b"}
    nodes = {node["path"]: node for node in new["nodes"]}
    assert (nodes["a"]["reused"], nodes["a"]["output"], "reused" in nodes["b"]) == (True, {"n": 40}, False)
    wait(lambda: state(world, old).get("replays") == [replay["id"]], "the old one knows its replay")
    whole = world.first.http.post(f"/runs/{old}/replay", json={"set": {"n": 200}}, headers={"prefer": "wait=30"})
    assert whole.json()["output"] == {"n": 202, "big": 2011, "slept": 0.0}


def test_a_wrong_replay_is_refused(gateways_with_worker: GatewayWorld) -> None:
    """Unknown nodes, paths and runs, values of the wrong type and bodies that are none are refused, each with its place."""
    world = gateways_with_worker
    old = submit(world, fresh(world, CHAIN), n=1)
    ended(world, old)
    answer = world.first.http.post(f"/runs/{old}/replay", json={"from": "bb", "set": {"n": "x", "a.n": "y", "q": 1}})
    assert answer.status_code == 422
    assert {error["where"] for error in answer.json()["errors"]} == {"from", "n", "a.n", "q"}
    assert world.first.http.post(f"/runs/{old}/replay", json={"form": "b"}).status_code == 422
    assert world.first.http.post(f"/runs/{old}/replay", json=[1]).status_code == 422
    assert world.first.http.post(f"/runs/{uuid.uuid4()}/replay").status_code == 404
    first = world.first.http.post(f"/runs/{old}/replay", headers={"idempotency-key": "again"})
    second = world.second.http.post(f"/runs/{old}/replay", headers={"idempotency-key": "again"})
    assert (first.status_code, second.status_code) == (202, 409)
    assert second.json()["id"] == first.json()["id"]


def test_a_repeated_run_has_objects_of_its_own(gateways_with_worker: GatewayWorld, tmp_path: Path) -> None:
    """Objects that are taken over are copied: the old ones may go; once they have, repeating says what has expired."""
    world = gateways_with_worker
    text = """
pipeline: NAME
input: {photo: image}
nodes:
  grey: {service: image-greyscale, with: {image: "${photo}"}}
  again: {service: image-greyscale, with: {image: "${grey.image}"}}
output: {image: "${again.image}"}
"""
    with worker(world, tmp_path / "grey.log", "image-greyscale"):
        for gateway in (world.first, world.second):
            wait(lambda gateway=gateway: gateway.http.get("/services/image-greyscale").status_code == 200, "it is live")
        name = fresh(world, text)
        old = world.first.http.post(f"/pipelines/{name}/runs", files={"photo": ("p", png(9, 9, 3))}).json()["id"]
        assert ended(world, old)["status"] == "finished"
        replay = world.first.http.post(f"/runs/{old}/replay", json={"from": "again"}).json()
        new = ended(world, replay["id"])
        assert (replay["reused"], new["status"]) == (["grey"], "finished")
        (grey,) = [node for node in new["nodes"] if node["path"] == "grey"]
        assert grey["output"]["image"]["ref"]["key"].startswith(f"runs/{replay['id']}/")
        keys = world.loop(world.connections.store.list(f"runs/{old}/"))
        world.loop(world.connections.store.delete(keys))
        assert world.first.http.get(grey["output"]["image"]["href"]).status_code == 200
        gone = world.first.http.post(f"/runs/{old}/replay", json={"from": "again"})
        assert (gone.status_code, gone.json()["type"]) == (410, "urn:millrace:gone"), gone.text
        assert {error["where"] for error in gone.json()["errors"]} == {"photo", "grey.image"}


def test_cancelling_kills_the_body_and_drops_what_is_queued(gateways_with_worker: GatewayWorld) -> None:
    """A cancelled run ends at once: the process of its body is gone, what it had queued never begins, the worker serves on."""
    world = gateways_with_worker
    name = fresh(
        world,
        """
pipeline: NAME
input: {seconds: [float]}
nodes:
  rest:
    each: {s: "${seconds}"}
    nodes: {nap: {service: naps, with: {seconds: "${s}"}}}
    output: "${nap.seconds}"
output: {s: "${rest}"}
""",
    )
    run = submit(world, name, seconds=[25.0] * 6)
    wait(lambda: has(world, run, "node.started"), "one is at work")
    before = children()
    assert before
    assert world.first.http.delete(f"/runs/{run}").status_code == 202
    assert events_of(world, run)[-1]["event"] == "run.cancelled"
    wait(lambda: not before <= children(), "the body is killed")
    after = submit(world, name, seconds=[0.0])
    assert ended(world, after, 20)["output"] == {"s": [0.0]}
    started = [event for event in events_of(world, run) if event["event"] == "node.started"]
    assert len(started) <= 1 + 8


def children() -> set[int]:
    """The pool's children of every worker that a test of this process started."""
    pids = set[int]()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            if "forkserver" in " ".join(process.cmdline()):
                pids |= {child.pid for child in process.children()}
    return pids
