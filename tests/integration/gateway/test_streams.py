"""Event streams: resuming without gap or repetition, on any gateway, whatever has been let go of meanwhile."""

import concurrent.futures
import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.api.limits import Limits
from streams.messages import Event, EventKind, Run
from streams.runtime.kafka.partitioner import partition_of
from streams.wire.records import Outgoing
from tests.integration.support.gateway_world import FINISHED, Gateway, GatewayWorld, events, wait

K = EventKind


def steps(run: Run, *names: str, size: int = 0) -> list[Event]:
    """One finished node for each name."""
    return [Event(run, K.FINISHED, name, path=name, data={"output": "x" * size}) for name in names]


def read(gateway: Gateway, run: Run, after: int | None = None) -> list[dict[str, Any]]:
    """All events of a run that has ended, past an id."""
    headers = {} if after is None else {"last-event-id": str(after)}
    with gateway.http.stream("GET", f"/runs/{run.id}/events", headers=headers) as stream:
        assert stream.status_code == 200, stream.read()
        return [one for one in events(stream.iter_lines()) if one["event"] != "ping"]


def places(received: list[dict[str, Any]]) -> list[str]:
    """What happened, shortly."""
    return [one["data"]["path"] or one["event"] for one in received]


@pytest.fixture
def small_gateway(gateways: GatewayWorld, tmp_path: Path) -> Iterator[Gateway]:
    """A third gateway that can hold next to nothing in memory and pings often."""
    (tmp_path / "api-key").write_text(gateways.first.key)
    made = Gateway(replace(gateways.settings, home=tmp_path), Limits(index=6_000, ping=0.05, clients=3))
    yield made.ready()
    made.stop()


def test_resuming_at_every_event_on_either_gateway(gateways: GatewayWorld) -> None:
    """From whichever event a client comes back, on whichever gateway, it gets exactly what it has not seen."""
    world = gateways
    run = world.submit()
    world.tell(*steps(run, "a", "b", "c"), Event(run, FINISHED, data={"output": {}}))
    whole = read(world.first, run)
    assert places(whole) == ["run.accepted", "a", "b", "c", "run.finished"]
    assert read(world.second, run) == whole
    for number, seen in enumerate(whole[:-1]):
        for gateway in (world.first, world.second):
            assert read(gateway, run, seen["id"]) == whole[number + 1 :]
    done = world.second.http.get(f"/runs/{run.id}/events", headers={"last-event-id": str(whole[-1]["id"])})
    assert (done.status_code, done.content) == (204, b"")


def test_repeated_and_late_events_are_not_seen(gateways: GatewayWorld) -> None:
    """An event that comes twice is shown once, where it came first; nothing is shown after the last one."""
    world = gateways
    run = world.submit()
    a, b = steps(run, "a", "b")
    accepted = Event(run, K.ACCEPTED, data={"pipeline": "greet"})
    ended = Event(run, FINISHED, data={"output": {}})
    world.tell(
        accepted, a, accepted, a, b, a, ended, b, Event(run, K.RUN_FAILED, data={"reason": "late"}), *steps(run, "c")
    )
    for gateway in (world.first, world.second):
        assert places(read(gateway, run)) == ["run.accepted", "a", "b", "run.finished"]
    assert world.first.http.get(f"/runs/{run.id}").json()["status"] == "finished"


def test_a_client_that_comes_back_in_the_middle_of_a_run(gateways: GatewayWorld) -> None:
    """A client that loses its stream while events come, and comes back elsewhere, misses none and sees none twice."""
    world = gateways
    run = world.submit()
    seen: list[dict[str, Any]] = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        telling = pool.submit(
            lambda: world.tell(*steps(run, *(f"n{i}" for i in range(60))), Event(run, FINISHED, data={}))
        )
        turn = 0
        while not seen or seen[-1]["event"] != "run.finished":
            headers = {"last-event-id": str(seen[-1]["id"])} if seen else {}
            turn += 1
            with (world.first, world.second)[turn % 2].http.stream(
                "GET", f"/runs/{run.id}/events", headers=headers
            ) as stream:
                for one in events(stream.iter_lines()):
                    seen.append(one)
                    if len(seen) % 7 == 0:
                        break
        telling.result(20)
    assert places(seen) == ["run.accepted", *(f"n{i}" for i in range(60)), "run.finished"]
    ids = [one["id"] for one in seen]
    assert ids == sorted(set(ids))


def test_a_client_from_a_gateway_that_was_ahead(gateways: GatewayWorld) -> None:
    """An id that this gateway has yet to hear of is waited for, and its event is not shown again."""
    world = gateways
    run = world.submit()
    with world.first.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = events(stream.iter_lines())
        first = next(seen)
        ahead = first["id"] + 1
        with world.second.http.stream("GET", f"/runs/{run.id}/events", headers={"last-event-id": str(ahead)}) as other:
            offset = world.tell(*steps(run, "a"))
            world.tell(*steps(run, "b"), Event(run, FINISHED, data={}))
            received = places([one for one in events(other.iter_lines()) if one["event"] != "ping"])
        assert received == (["b", "run.finished"] if offset == ahead else ["a", "b", "run.finished"])


def test_an_evicted_run_is_read_again_from_the_log(gateways: GatewayWorld, small_gateway: Gateway) -> None:
    """A gateway that has let a run go, with no history to ask, reads it from the log, with the same ids."""
    world = gateways
    run = world.submit()
    world.tell(*steps(run, "a", "b"), Event(run, FINISHED, data={"output": {}}))
    whole = read(world.first, run)
    others = [world.run() for _ in range(30)]
    world.tell(*(Event(one, K.ACCEPTED) for one in others))
    wait(lambda: small_gateway.app.components.following.cache.get(run.id) is None, "the run is let go of")
    assert read(small_gateway, run) == whole
    assert read(small_gateway, run, whole[1]["id"]) == whole[2:]


def test_an_evicted_open_run_continues(gateways: GatewayWorld, small_gateway: Gateway) -> None:
    """A run that is let go of while it goes on is put together from the log and what comes, repeated events and all."""
    world = gateways
    run = world.submit()
    a, b, c = steps(run, "a", "b", "c")
    world.tell(a)
    world.tell(*(Event(world.run(), K.ACCEPTED) for _ in range(30)))
    wait(lambda: small_gateway.app.components.following.cache.get(run.id) is None, "the run is let go of")
    world.tell(Event(run, K.ACCEPTED, data={"pipeline": "greet"}), a, b)
    with small_gateway.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = (one for one in events(stream.iter_lines()) if one["event"] != "ping")
        first = [next(seen) for _ in range(3)]
        world.tell(a, c, Event(run, FINISHED, data={}))
        received = first + list(seen)
    assert places(received) == ["run.accepted", "a", "b", "c", "run.finished"]
    assert received == read(world.second, run)


def test_a_run_of_long_ago_comes_from_the_history(gateways: GatewayWorld) -> None:
    """A run that is in no log any more is shown from the history, ended, with the ids that it had."""
    world = gateways
    run = world.run()
    received = [
        (5, Event(run, K.ACCEPTED, data={"input": {"name": "old"}})),
        *zip((7, 9), steps(run, "a", "b"), strict=True),
    ]
    world.record(run, [*received, (11, Event(run, FINISHED, data={"output": {"text": "old"}}))])
    for gateway in (world.first, world.second):
        whole = read(gateway, run)
        assert [one["id"] for one in whole] == [5, 7, 9, 11]
        assert places(whole) == ["run.accepted", "a", "b", "run.finished"]
        assert read(gateway, run, 7) == whole[2:]
        assert gateway.http.get(f"/runs/{run.id}/result").json()["output"] == {"text": "old"}
        assert gateway.http.get(f"/runs/{run.id}").json()["pipeline"] == "greet"


def test_a_run_is_put_together_from_history_and_log(gateways: GatewayWorld, small_gateway: Gateway) -> None:
    """What the history has and what only the log has make one run, each event once."""
    world = gateways
    run = world.run()
    a, b = steps(run, "a", "b")
    accepted = Event(run, K.ACCEPTED, data={})
    first = world.tell(accepted)
    second = world.tell(a)
    world.record(run, [(first, accepted), (second, a)])
    world.reached(partition_of(run.id, world.settings.partitions), second + 1)
    world.tell(a, b)
    world.tell(*(Event(world.run(), K.ACCEPTED) for _ in range(30)))
    wait(lambda: small_gateway.app.components.following.cache.get(run.id) is None, "the run is let go of")
    world.tell(a, Event(run, FINISHED, data={}))
    assert places(read(small_gateway, run)) == ["run.accepted", "a", "b", "run.finished"]
    assert [one["id"] for one in read(small_gateway, run)] == [one["id"] for one in read(world.first, run)]


def test_a_run_too_large_for_memory_is_streamed_whole(gateways: GatewayWorld, small_gateway: Gateway) -> None:
    """Of a run that is larger than what a gateway may hold, the older bodies are fetched again as they are needed."""
    world = gateways
    run = world.submit()
    names = [f"n{number}" for number in range(40)]
    with small_gateway.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = events(stream.iter_lines())
        assert next(one for one in seen if one["event"] != "ping")["event"] == "run.accepted"
        world.tell(*steps(run, *names, size=2000), Event(run, FINISHED, data={}))
        received = [one for one in seen if one["event"] != "ping"]
    assert places(received) == [*names, "run.finished"]
    assert places(read(small_gateway, run)) == ["run.accepted", *names, "run.finished"]
    wait(lambda: small_gateway.app.components.following.cache.size < 60_000, "what was read is let go of")


def test_pings_while_nothing_happens(gateways: GatewayWorld, small_gateway: Gateway) -> None:
    """A silent stream says that it lives, in comments that carry no id."""
    run = gateways.submit()
    with small_gateway.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = events(stream.iter_lines())
        assert [next(seen)["event"] for _ in range(4)] == ["run.accepted", "ping", "ping", "ping"]


def test_a_client_that_disconnects_frees_its_place(gateways: GatewayWorld, small_gateway: Gateway) -> None:
    """Streams are bounded in number; a client that disconnects makes room for the next, and nothing is left behind."""
    run = gateways.submit()
    path = f"/runs/{run.id}/events"
    open_streams = []
    for _ in range(3):
        sock = socket.create_connection(("127.0.0.1", int(small_gateway.url.rpartition(":")[2])))
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {small_gateway.key}\r\n\r\n".encode())
        assert b"200 OK" in sock.recv(1000)
        open_streams.append(sock)
    refused = small_gateway.http.get(path)
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    assert small_gateway.http.post("/pipelines/greet/runs", json={"name": "x"}).status_code == 202
    for sock in open_streams:
        sock.close()
    wait(lambda: small_gateway.app.components.following.streams.open == 0, "the places are given back")
    entry = small_gateway.app.components.following.cache.get(run.id)
    assert entry is None or entry.readers == 0
    with small_gateway.http.stream("GET", path) as stream:
        assert stream.status_code == 200


def test_a_client_that_waits_for_a_result_has_a_place_too(gateways: GatewayWorld, small_gateway: Gateway) -> None:
    """Waits and streams are bounded together; a run that is submitted without a place to wait is accepted all the same."""
    run = gateways.submit()
    port, waiting = int(small_gateway.url.rpartition(":")[2]), []
    head = f"GET /runs/{run.id}/result HTTP/1.1\r\nHost: x\r\nPrefer: wait=100\r\nAuthorization: Bearer {small_gateway.key}\r\n\r\n"
    for _ in range(2):
        waiting.append(socket.create_connection(("127.0.0.1", port)))
        waiting[-1].sendall(head.encode())
    places = small_gateway.app.components.following.streams._per_client
    wait(lambda: places.total() == 2, "they wait")
    with small_gateway.http.stream("GET", f"/runs/{run.id}/events") as stream:
        assert stream.status_code == 200
        refused = small_gateway.http.get(f"/runs/{run.id}/result", headers={"prefer": "wait=1"})
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:millrace:busy")
        assert small_gateway.http.get(f"/runs/{run.id}/result").status_code == 409  # which does not wait
        ask: dict[str, Any] = {"json": {"name": "x"}, "headers": {"prefer": "wait=1"}}
        assert small_gateway.http.post("/pipelines/greet/runs", **ask).status_code == 202
        ask["headers"] = {"accept": "text/event-stream"}
        assert small_gateway.http.post("/pipelines/greet/runs", **ask).status_code == 503
    waiting.pop().close()  # one that goes gives its place back at once
    wait(lambda: places.total() == 1, "a place is free")
    gateways.finish(run)
    assert b"200 OK" in waiting[0].recv(1000)
    waiting[0].close()
    wait(lambda: places.total() == 0, "all places are free")


def test_clients_that_disconnect_at_once_leave_nothing_behind(gateways: GatewayWorld) -> None:
    """A client that goes in whatever moment of its stream's beginning gives its place back, every time."""
    world = gateways
    run = world.submit()
    for number in range(60):
        with world.second.http.stream("GET", f"/runs/{run.id}/events"):
            if number % 2:
                world.second.http.get("/health/live")
    wait(lambda: world.second.app.components.following.streams.open == 0, "every place is given back")


def test_a_client_that_never_reads_is_dropped(gateways: GatewayWorld, tmp_path: Path) -> None:
    """A client that leaves its stream unread costs bounded memory and is dropped after the stall time; others go on."""
    world = gateways
    (tmp_path / "api-key").write_text(world.first.key)
    slow = Gateway(replace(world.settings, home=tmp_path), Limits(stall=0.3)).ready()
    try:
        run = world.submit()
        world.tell(*steps(run, *(f"n{number}" for number in range(300)), size=50_000))
        sock = socket.create_connection(("127.0.0.1", int(slow.url.rpartition(":")[2])))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(
            f"GET /runs/{run.id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {slow.key}\r\n\r\n".encode()
        )
        wait(lambda: slow.app.components.following.streams.open == 1, "the stream is open")
        wait(lambda: slow.app.components.following.streams.open == 0, "the client is dropped")
        sock.close()
        world.tell(Event(run, FINISHED, data={}))
        assert len(read(slow, run)) == 302
    finally:
        slow.stop()


def test_a_stop_ends_streams_so_that_clients_come_back_elsewhere(
    gateways: GatewayWorld, small_gateway: Gateway
) -> None:
    """A gateway that stops ends its streams at once; the client goes on at another gateway from its last id."""
    world = gateways
    run = world.submit()
    with small_gateway.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = events(stream.iter_lines())
        first = next(seen)
        small_gateway.end_streams()
        assert [one for one in seen if one["event"] != "ping"] == []
    world.finish(run)
    assert places(read(world.first, run, first["id"])) == ["run.finished"]


def test_a_stop_answers_clients_that_wait_for_a_result(gateways: GatewayWorld, small_gateway: Gateway) -> None:
    """They learn which run it is and come back elsewhere; cut off, a caller would not know that there is a run at all."""
    world, waits = gateways, {"prefer": "wait=60"}
    run = world.submit()
    with concurrent.futures.ThreadPoolExecutor(2) as pool, small_gateway.client() as http:
        asked = pool.submit(http.post, "/pipelines/greet/runs", json={"name": "Ada"}, headers=waits)
        other = pool.submit(http.get, f"/runs/{run.id}/result", headers=waits)
        held = small_gateway.app.components.following.cache._buffers
        wait(lambda: sum(bool(one.readers and one.whole and one.events) for one in held.values()) == 2, "both wait")
        small_gateway.end_streams()
        begun, result = asked.result(10), other.result(10)
    assert (begun.status_code, result.status_code) == (202, 409)
    assert world.second.http.get(begun.headers["location"]).status_code == 200
    assert result.json()["type"] == "urn:millrace:run-not-over"


@pytest.mark.parametrize("bad", ["abc", "-5", "1.5", "9" * 40])
def test_an_invalid_last_event_id(gateways: GatewayWorld, bad: str) -> None:
    """A Last-Event-ID that no event can have is the caller's fault."""
    run = gateways.submit()
    answer = gateways.first.http.get(f"/runs/{run.id}/events", headers={"last-event-id": bad})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:millrace:bad-request")


def test_garbage_in_the_log_harms_nobody(gateways: GatewayWorld) -> None:
    """Records in run.events that are no events are passed over, also those that only look like one."""
    world = gateways
    run = world.submit()
    topic, key = world.connections.events, run.id.encode()
    fake = (("ce_type", b"node.finished"), ("ce_id", str(uuid.uuid4()).encode()))
    for record in (
        Outgoing(topic, None, b"garbage"),
        Outgoing(topic, b"\xff\xfe", b"garbage", fake),
        Outgoing(topic, key, b"garbage"),
        Outgoing(topic, key, b"garbage", fake),
        Outgoing(topic, key, b"\x00\x00\x00\x00\x01garbage", (fake[0], ("ce_id", str(uuid.uuid4()).encode()))),
    ):
        world.loop(world.connections.producer.send(record))
    world.finish(run)
    assert places(read(world.second, run)) == ["run.accepted", "run.finished"]
    assert world.first.http.get(f"/runs/{run.id}").json()["status"] == "finished"
