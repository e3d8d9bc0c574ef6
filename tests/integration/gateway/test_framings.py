"""Requests in every framing that HTTP/1.1 knows, and in some that it does not, beside a neighbour whose requests go on."""

import json
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.integration.support.gateway_world import Gateway, GatewayWorld

_SEEDS = range(40)


@dataclass(frozen=True)
class Ask:
    """One request, and the status that it must get."""

    method: str
    path: str
    status: int
    body: bytes = b""


ASKS = (
    Ask("GET", "/health/live", 200),
    Ask("GET", "/pipelines/greet", 200),
    Ask("HEAD", "/pipelines/greet", 200),
    Ask("GET", "/nothing", 404),
    Ask("POST", "/pipelines/greet/runs", 202, b'{"name": "Ada", "times": 3}'),
    Ask("POST", "/pipelines/greet/runs", 202, json.dumps({"name": "x" * 100_000}).encode()),
    Ask("POST", "/pipelines/greet/runs", 422, b'{"times": 30}'),
    Ask("POST", "/pipelines/greet/runs", 400, b'{"name": '),
    Ask("PUT", "/pipelines/greet?canary=no%25", 422, b"pipeline: greet"),
)


@pytest.fixture(scope="module")
def neighbour(gateways: GatewayWorld) -> Iterator[None]:
    """Somebody with requests of their own beside all of these; each must be answered as always."""
    stopped, seen = threading.Event(), list[int]()

    def go_on() -> None:
        with gateways.first.client() as client:
            while not stopped.is_set():
                seen.append(client.get("/pipelines/greet").status_code)
                seen.append(client.post("/pipelines/greet/runs", json={"name": "neighbour"}).status_code - 2)

    thread = threading.Thread(target=go_on)
    thread.start()
    yield
    stopped.set()
    thread.join(30)
    assert len(seen) > 10
    assert set(seen) == {200}


def cased(text: str, order: random.Random) -> str:
    """The same name of a header."""
    return "".join(order.choice((letter.lower(), letter.upper())) for letter in text)


def rendered(ask: Ask, key: str, order: random.Random, last: bool) -> bytes:
    """A request in one of its forms."""
    headers = [("host", "gateway"), ("authorization", f"Bearer {key}"), ("content-type", "application/json")]
    headers += [(f"x-{order.randrange(100)}", "y" * order.choice((0, 1, 5000))) for _ in range(order.randrange(5))]
    if order.random() < 0.2:
        headers += [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQ")]
    elif last:
        headers.append(("connection", "close"))
    body = ask.body
    if body and order.random() < 0.5:
        headers.append(("transfer-encoding", order.choice(("chunked", "Chunked"))))
        body = chunked(body, order)
    elif body or order.random() < 0.3:
        headers.append(("content-length", str(len(body))))
    order.shuffle(headers)
    lines = [f"{ask.method} {ask.path} HTTP/1.1"]
    for name, value in headers:
        lines.append(cased(name, order) + ":" + order.choice(("", " ", "\t", "  ")) + value + order.choice(("", " ")))
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(body: bytes, order: random.Random) -> bytes:
    """A body in chunks, of one byte too, some with an extension, and perhaps a trailer after them."""
    made = b""
    while body:
        size = order.choice((1, 7, 1000, 70_000))
        piece, body = body[:size], body[size:]
        form = order.choice(("%x", "%X", "0%x"))
        made += (form % len(piece)).encode() + order.choice((b"", b";a=b")) + b"\r\n" + piece + b"\r\n"
    return made + b"0\r\n" + order.choice((b"", b"x-sum: 1\r\n")) + b"\r\n"


def exchange(gateway: Gateway, data: bytes, order: random.Random, *, half: bool = False) -> bytes:
    """What comes back for bytes that are sent in pieces of any size, until the gateway closes, or the client tires of it."""
    port = int(gateway.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        said = b""
        try:
            while data:
                size = order.choice((1, 10, 1000, 100_000))
                sock.sendall(data[:size])
                data = data[size:]
            if half:
                sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(65536):
                said += piece
        except OSError:  # closed before all was sent
            pass
        return said


def statuses(said: bytes, asks: list[Ask]) -> list[int]:
    """Of the answers, one after another."""
    found = []
    for ask in asks:
        head, _, said = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 "), head
        found.append(int(head[9:12]))
        headers = httpx.Headers([tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")[1:]])  # type: ignore[arg-type]
        if ask.method != "HEAD":
            said = said[int(headers["content-length"]) :]
    assert said == b""
    return found


@pytest.mark.parametrize("seed", _SEEDS)
def test_a_request_is_the_same_in_every_framing(gateways: GatewayWorld, neighbour: None, seed: int) -> None:
    """One after another on one connection, however each is written and divided."""
    order = random.Random(seed)
    asks = [order.choice(ASKS) for _ in range(order.randrange(1, 5))] + [ASKS[0]]
    world = gateways
    data = b"".join(rendered(ask, world.first.key, order, last=False) for ask in asks[:-1])
    data += b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert statuses(exchange(world.first, data, order), asks) == [ask.status for ask in asks]


def broken(data: bytes, order: random.Random) -> bytes:
    """The same with something wrong."""
    at = order.randrange(len(data))
    return order.choice(
        (
            lambda: data[:at],
            lambda: data[:at] + order.randbytes(order.randrange(1, 9)) + data[at:],
            lambda: data[:at] + data[at + order.randrange(1, 9) :],
            lambda: data.replace(b"\r\n", b"\n"),
            lambda: data.replace(b"\r\n", b"\r\n ", 2),  # a folded header, which nobody may send
            lambda: data.replace(b": ", b" : "),
            lambda: data.replace(b"HTTP/1.1", order.choice((b"HTTP/9.9", b"HTTP/1.0", b"HTTP/2", b""))),
            lambda: b"content-length: 3\r\n".join(data.split(b"\r\n", 1)),
        )
    )()


@pytest.mark.parametrize("seed", _SEEDS)
def test_a_broken_request_harms_no_other(gateways: GatewayWorld, neighbour: None, seed: int) -> None:
    """It is refused, or taken for what it then is; it is no fault of the gateway, and the neighbour does not notice."""
    order = random.Random(1000 + seed)
    data = b"".join(rendered(order.choice(ASKS), gateways.first.key, order, last=True) for _ in range(3))
    said = exchange(gateways.first, broken(data, order), order, half=True)
    for answer in said.split(b"HTTP/1.1 ")[1:]:
        assert int(answer[:3]) < 500, answer
