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
from tests.integration.support.gateway_world import FINISHED, Gateway, World, events, wait

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


def places(told: list[dict[str, Any]]) -> list[str]:
    """What happened, shortly."""
    return [one["data"]["path"] or one["event"] for one in told]


@pytest.fixture
def small(gateways: World, tmp_path: Path) -> Iterator[Gateway]:
    """A third gateway that can hold next to nothing in memory and pings often."""
    (tmp_path / "api-key").write_text(gateways.one.key)
    made = Gateway(replace(gateways.settings, home=tmp_path), Limits(index=6_000, ping=0.05, clients=3))
    yield made.ready()
    made.stop()


def test_resuming_at_every_event_on_either_gateway(gateways: World) -> None:
    """From whichever event a client comes back, on whichever gateway, it gets exactly what it has not seen."""
    w = gateways
    run = w.submit()
    w.tell(*steps(run, "a", "b", "c"), Event(run, FINISHED, data={"output": {}}))
    whole = read(w.one, run)
    assert places(whole) == ["run.accepted", "a", "b", "c", "run.finished"]
    assert read(w.two, run) == whole
    for number, seen in enumerate(whole[:-1]):
        for gateway in (w.one, w.two):
            assert read(gateway, run, seen["id"]) == whole[number + 1 :]
    done = w.two.http.get(f"/runs/{run.id}/events", headers={"last-event-id": str(whole[-1]["id"])})
    assert (done.status_code, done.content) == (204, b"")


def test_repeated_and_late_events_are_not_seen(gateways: World) -> None:
    """An event that comes twice is shown once, where it came first; nothing is shown after the last one."""
    w = gateways
    run = w.submit()
    a, b = steps(run, "a", "b")
    accepted = Event(run, K.ACCEPTED, data={"pipeline": "greet"})
    ended = Event(run, FINISHED, data={"output": {}})
    w.tell(
        accepted, a, accepted, a, b, a, ended, b, Event(run, K.RUN_FAILED, data={"reason": "late"}), *steps(run, "c")
    )
    for gateway in (w.one, w.two):
        assert places(read(gateway, run)) == ["run.accepted", "a", "b", "run.finished"]
    assert w.one.http.get(f"/runs/{run.id}").json()["status"] == "finished"


def test_a_client_that_comes_back_in_the_middle_of_a_run(gateways: World) -> None:
    """A client that loses its stream while events come, and comes back elsewhere, misses none and sees none twice."""
    w = gateways
    run = w.submit()
    seen: list[dict[str, Any]] = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        telling = pool.submit(lambda: w.tell(*steps(run, *(f"n{i}" for i in range(60))), Event(run, FINISHED, data={})))
        turn = 0
        while not seen or seen[-1]["event"] != "run.finished":
            headers = {"last-event-id": str(seen[-1]["id"])} if seen else {}
            turn += 1
            with (w.one, w.two)[turn % 2].http.stream("GET", f"/runs/{run.id}/events", headers=headers) as stream:
                for one in events(stream.iter_lines()):
                    seen.append(one)
                    if len(seen) % 7 == 0:
                        break
        telling.result(20)
    assert places(seen) == ["run.accepted", *(f"n{i}" for i in range(60)), "run.finished"]
    ids = [one["id"] for one in seen]
    assert ids == sorted(set(ids))


def test_a_client_from_a_gateway_that_was_ahead(gateways: World) -> None:
    """An id that this gateway has yet to hear of is waited for, and its event is not shown again."""
    w = gateways
    run = w.submit()
    with w.one.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = events(stream.iter_lines())
        first = next(seen)
        ahead = first["id"] + 1
        with w.two.http.stream("GET", f"/runs/{run.id}/events", headers={"last-event-id": str(ahead)}) as other:
            offset = w.tell(*steps(run, "a"))
            w.tell(*steps(run, "b"), Event(run, FINISHED, data={}))
            told = places([one for one in events(other.iter_lines()) if one["event"] != "ping"])
        assert told == (["b", "run.finished"] if offset == ahead else ["a", "b", "run.finished"])


def test_a_run_that_was_let_go_of_is_read_again_from_the_log(gateways: World, small: Gateway) -> None:
    """A gateway that has let a run go, with no history to ask, reads it from the log, with the same ids."""
    w = gateways
    run = w.submit()
    w.tell(*steps(run, "a", "b"), Event(run, FINISHED, data={"output": {}}))
    whole = read(w.one, run)
    crowd = [w.run() for _ in range(30)]
    w.tell(*(Event(one, K.ACCEPTED) for one in crowd))
    wait(lambda: small.app.components.following.cache.get(run.id) is None, "the run is let go of")
    assert read(small, run) == whole
    assert read(small, run, whole[1]["id"]) == whole[2:]


def test_an_open_run_that_was_let_go_of_goes_on(gateways: World, small: Gateway) -> None:
    """A run that is let go of while it goes on is put together from the log and what comes, repeated events and all."""
    w = gateways
    run = w.submit()
    a, b, c = steps(run, "a", "b", "c")
    w.tell(a)
    w.tell(*(Event(w.run(), K.ACCEPTED) for _ in range(30)))
    wait(lambda: small.app.components.following.cache.get(run.id) is None, "the run is let go of")
    w.tell(Event(run, K.ACCEPTED, data={"pipeline": "greet"}), a, b)
    with small.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = (one for one in events(stream.iter_lines()) if one["event"] != "ping")
        first = [next(seen) for _ in range(3)]
        w.tell(a, c, Event(run, FINISHED, data={}))
        told = first + list(seen)
    assert places(told) == ["run.accepted", "a", "b", "c", "run.finished"]
    assert told == read(w.two, run)


def test_a_run_of_long_ago_comes_from_the_history(gateways: World) -> None:
    """A run that is in no log any more is shown from the history, ended, with the ids that it had."""
    w = gateways
    run = w.run()
    told = [
        (5, Event(run, K.ACCEPTED, data={"input": {"name": "old"}})),
        *zip((7, 9), steps(run, "a", "b"), strict=True),
    ]
    w.record(run, [*told, (11, Event(run, FINISHED, data={"output": {"text": "old"}}))])
    for gateway in (w.one, w.two):
        whole = read(gateway, run)
        assert [one["id"] for one in whole] == [5, 7, 9, 11]
        assert places(whole) == ["run.accepted", "a", "b", "run.finished"]
        assert read(gateway, run, 7) == whole[2:]
        assert gateway.http.get(f"/runs/{run.id}/result").json()["output"] == {"text": "old"}
        assert gateway.http.get(f"/runs/{run.id}").json()["pipeline"] == "greet"


def test_a_run_is_put_together_from_history_and_log(gateways: World, small: Gateway) -> None:
    """What the history has and what only the log has make one run, each event once."""
    w = gateways
    run = w.run()
    a, b = steps(run, "a", "b")
    accepted = Event(run, K.ACCEPTED, data={})
    first = w.tell(accepted)
    second = w.tell(a)
    w.record(run, [(first, accepted), (second, a)])
    w.reached(partition_of(run.id, w.settings.partitions), second + 1)
    w.tell(a, b)
    w.tell(*(Event(w.run(), K.ACCEPTED) for _ in range(30)))
    wait(lambda: small.app.components.following.cache.get(run.id) is None, "the run is let go of")
    w.tell(a, Event(run, FINISHED, data={}))
    assert places(read(small, run)) == ["run.accepted", "a", "b", "run.finished"]
    assert [one["id"] for one in read(small, run)] == [one["id"] for one in read(w.one, run)]


def test_a_run_too_large_for_memory_is_streamed_whole(gateways: World, small: Gateway) -> None:
    """Of a run that is larger than what a gateway may hold, the older bodies are fetched again as they are needed."""
    w = gateways
    run = w.submit()
    names = [f"n{number}" for number in range(40)]
    with small.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = events(stream.iter_lines())
        assert next(one for one in seen if one["event"] != "ping")["event"] == "run.accepted"
        w.tell(*steps(run, *names, size=2000), Event(run, FINISHED, data={}))
        told = [one for one in seen if one["event"] != "ping"]
    assert places(told) == [*names, "run.finished"]
    assert places(read(small, run)) == ["run.accepted", *names, "run.finished"]
    wait(lambda: small.app.components.following.cache.size < 60_000, "what was read is let go of")


def test_pings_while_nothing_happens(gateways: World, small: Gateway) -> None:
    """A silent stream says that it lives, in comments that carry no id."""
    run = gateways.submit()
    with small.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = events(stream.iter_lines())
        assert [next(seen)["event"] for _ in range(4)] == ["run.accepted", "ping", "ping", "ping"]


def test_a_client_that_goes_gives_its_place_back(gateways: World, small: Gateway) -> None:
    """Streams are bounded in number; a client that disconnects makes room for the next, and nothing is left behind."""
    run = gateways.submit()
    path = f"/runs/{run.id}/events"
    open_streams = []
    for _ in range(3):
        sock = socket.create_connection(("127.0.0.1", int(small.url.rpartition(":")[2])))
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {small.key}\r\n\r\n".encode())
        assert b"200 OK" in sock.recv(1000)
        open_streams.append(sock)
    refused = small.http.get(path)
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    assert small.http.post("/pipelines/greet/runs", json={"name": "x"}).status_code == 202
    for sock in open_streams:
        sock.close()
    wait(lambda: small.app.components.following.streams.open == 0, "the places are given back")
    entry = small.app.components.following.cache.get(run.id)
    assert entry is None or entry.readers == 0
    with small.http.stream("GET", path) as stream:
        assert stream.status_code == 200


def test_who_waits_for_a_result_has_a_place_too(gateways: World, small: Gateway) -> None:
    """Waits and streams are bounded together; a run that is submitted without a place to wait is accepted all the same."""
    run = gateways.submit()
    port, waiting = int(small.url.rpartition(":")[2]), []
    head = f"GET /runs/{run.id}/result HTTP/1.1\r\nHost: x\r\nPrefer: wait=100\r\nAuthorization: Bearer {small.key}\r\n\r\n"
    for _ in range(2):
        waiting.append(socket.create_connection(("127.0.0.1", port)))
        waiting[-1].sendall(head.encode())
    places = small.app.components.following.streams._per_client
    wait(lambda: places.total() == 2, "they wait")
    with small.http.stream("GET", f"/runs/{run.id}/events") as stream:
        assert stream.status_code == 200
        refused = small.http.get(f"/runs/{run.id}/result", headers={"prefer": "wait=1"})
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:millrace:busy")
        assert small.http.get(f"/runs/{run.id}/result").status_code == 409  # which does not wait
        ask: dict[str, Any] = {"json": {"name": "x"}, "headers": {"prefer": "wait=1"}}
        assert small.http.post("/pipelines/greet/runs", **ask).status_code == 202
        ask["headers"] = {"accept": "text/event-stream"}
        assert small.http.post("/pipelines/greet/runs", **ask).status_code == 503
    waiting.pop().close()  # one that goes gives its place back at once
    wait(lambda: places.total() == 1, "a place is free")
    gateways.finish(run)
    assert b"200 OK" in waiting[0].recv(1000)
    waiting[0].close()
    wait(lambda: places.total() == 0, "all places are free")


def test_clients_that_go_at_once_leave_nothing_behind(gateways: World) -> None:
    """A client that goes in whatever moment of its stream's beginning gives its place back, every time."""
    w = gateways
    run = w.submit()
    for number in range(60):
        with w.two.http.stream("GET", f"/runs/{run.id}/events"):
            if number % 2:
                w.two.http.get("/health/live")
    wait(lambda: w.two.app.components.following.streams.open == 0, "every place is given back")


def test_a_client_that_never_reads_is_dropped(gateways: World, tmp_path: Path) -> None:
    """A client that leaves its stream unread costs bounded memory and is dropped after the stall time; others go on."""
    w = gateways
    (tmp_path / "api-key").write_text(w.one.key)
    slow = Gateway(replace(w.settings, home=tmp_path), Limits(stall=0.3)).ready()
    try:
        run = w.submit()
        w.tell(*steps(run, *(f"n{number}" for number in range(300)), size=50_000))
        sock = socket.create_connection(("127.0.0.1", int(slow.url.rpartition(":")[2])))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(
            f"GET /runs/{run.id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {slow.key}\r\n\r\n".encode()
        )
        wait(lambda: slow.app.components.following.streams.open == 1, "the stream is open")
        wait(lambda: slow.app.components.following.streams.open == 0, "the client is dropped")
        sock.close()
        w.tell(Event(run, FINISHED, data={}))
        assert len(read(slow, run)) == 302
    finally:
        slow.stop()


def test_a_stop_ends_streams_so_that_clients_come_back_elsewhere(gateways: World, small: Gateway) -> None:
    """A gateway that stops ends its streams at once; the client goes on at another gateway from its last id."""
    w = gateways
    run = w.submit()
    with small.http.stream("GET", f"/runs/{run.id}/events") as stream:
        seen = events(stream.iter_lines())
        first = next(seen)
        small.end_streams()
        assert [one for one in seen if one["event"] != "ping"] == []
    w.finish(run)
    assert places(read(w.one, run, first["id"])) == ["run.finished"]


def test_a_stop_answers_who_waits_for_a_result(gateways: World, small: Gateway) -> None:
    """They learn which run it is and come back elsewhere; cut off, a caller would not know that there is a run at all."""
    w, waits = gateways, {"prefer": "wait=60"}
    run = w.submit()
    with concurrent.futures.ThreadPoolExecutor(2) as pool, small.client() as http:
        asked = pool.submit(http.post, "/pipelines/greet/runs", json={"name": "Ada"}, headers=waits)
        other = pool.submit(http.get, f"/runs/{run.id}/result", headers=waits)
        held = small.app.components.following.cache._buffers
        wait(lambda: sum(bool(one.readers and one.whole and one.events) for one in held.values()) == 2, "both wait")
        small.end_streams()
        begun, result = asked.result(10), other.result(10)
    assert (begun.status_code, result.status_code) == (202, 409)
    assert w.two.http.get(begun.headers["location"]).status_code == 200
    assert result.json()["type"] == "urn:millrace:run-not-over"


@pytest.mark.parametrize("bad", ["abc", "-5", "1.5", "9" * 40])
def test_an_id_that_is_none(gateways: World, bad: str) -> None:
    """A Last-Event-ID that no event can have is the caller's fault."""
    run = gateways.submit()
    answer = gateways.one.http.get(f"/runs/{run.id}/events", headers={"last-event-id": bad})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:millrace:bad-request")


def test_garbage_in_the_log_harms_nobody(gateways: World) -> None:
    """Records in run.events that are no events are passed over, also those that only look like one."""
    w = gateways
    run = w.submit()
    topic, key = w.parts.events, run.id.encode()
    fake = (("ce_type", b"node.finished"), ("ce_id", str(uuid.uuid4()).encode()))
    for record in (
        Outgoing(topic, None, b"garbage"),
        Outgoing(topic, b"\xff\xfe", b"garbage", fake),
        Outgoing(topic, key, b"garbage"),
        Outgoing(topic, key, b"garbage", fake),
        Outgoing(topic, key, b"\x00\x00\x00\x00\x01garbage", (fake[0], ("ce_id", str(uuid.uuid4()).encode()))),
    ):
        w.loop(w.parts.producer.send(record))
    w.finish(run)
    assert places(read(w.two, run)) == ["run.accepted", "run.finished"]
    assert w.one.http.get(f"/runs/{run.id}").json()["status"] == "finished"
