"""Connections of strangers to a real server: what they send is bounded in size and time, and keeps nobody else out."""

import asyncio
import contextlib
import json
import logging
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from gateway.api.limits import Limits
from gateway.http.connection_limits import ConnectionLimits
from gateway.http.protocol import bounded

MIB = 1024 * 1024


GONE = threading.Event()
"""Set when the client of a flood is gone."""


async def _flood(send: Any) -> None:
    while True:
        await send({"type": "http.response.body", "body": bytes(MIB), "more_body": True})
        await asyncio.sleep(0)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says what it was asked; `/flood` never ends, `/deaf` reads no body."""
    body, more = b"", scope["path"] != "/deaf"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if message["type"] == "http.disconnect":
            break
    names = [name.decode() for name, _ in scope["headers"]]
    said = {"method": scope["method"], "path": scope["path"], "body": body.decode(), "headers": names}
    data = json.dumps(said).encode()
    if scope["path"] == "/flood":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        flood = asyncio.create_task(_flood(send))
        while (await receive())["type"] != "http.disconnect":
            pass
        flood.cancel()
        GONE.set()
        return
    headers = [] if scope["path"] == "/stream" else [(b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data[:5], "more_body": True})
    await send({"type": "http.response.body", "body": data[5:]})


@contextmanager
def server(limits: Limits) -> Iterator[int]:
    """The port of a server of `echo`."""
    config = uvicorn.Config(
        echo,
        port=0,
        http=bounded(limits),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    made = uvicorn.Server(config)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not made.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield made.servers[0].sockets[0].getsockname()[1]
    finally:
        made.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with the usual limits, but one."""
    with server(Limits(stall=1.0)) as made:
        yield made


def dial(port: int) -> socket.socket:
    """A connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def rest(sock: socket.socket) -> bytes:
    """Everything that comes until the server closes."""
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def ask(port: int, data: bytes) -> bytes:
    """What the server says to these bytes, until it closes."""
    with dial(port) as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass
        return rest(sock)


def answers(data: bytes) -> list[dict[str, Any]]:
    """The bodies of the answers with a length."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 "), head
        (length,) = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        found.append(json.loads(data[:length]))
        data = data[length:]
    return found


LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * MIB,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MIB // 6),
        b"GET / HTTP/1.1\r\na: " + b"b" * MIB,
        b"GET / HTTP/1.1\r\n" + b"a" * MIB,
        b"GET / HTTP/1.1\r\na: " + b"b" * 70_000 + b"\r\n\r\n",
    ],
    ids=["address", "headers", "value", "name", "one whole header"],
)
def test_a_head_has_an_end(port: int, head: bytes) -> None:
    """An address and headers of more than 64 KiB are refused, however they are divided, long before all has come."""
    answer = ask(port, head)
    assert answer.startswith(b"HTTP/1.1 431 "), answer[:100]
    (problem,) = answers(answer)
    assert (problem["type"], problem["status"]) == ("urn:millrace:headers", 431)
    assert b"content-type: application/problem+json" in answer
    assert b"connection: close" in answer


def test_a_large_head_in_small_pieces_is_read(port: int) -> None:
    """What is not over the limit is taken, however it comes."""
    head = b"GET /large HTTP/1.1\r\nConnection: close\r\nx: " + b"y" * 60_000 + b"\r\n\r\n"
    with dial(port) as sock:
        for start in range(0, len(head), 999):
            sock.sendall(head[start : start + 999])
        assert answers(rest(sock))[0]["path"] == "/large"


@pytest.mark.parametrize(
    "more", [b"0\r\n" + b"x: y\r\n" * 200_000, b"0\r\nx: " + b"y" * MIB, b"1;" + b"e" * MIB, b"nonsense\r\n"], ids=["trailers", "a trailer", "extension", "no chunk"]
)  # fmt: skip
def test_trailers_and_chunk_extensions_have_an_end(port: int, more: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A chunked body cannot bring trailers and extensions without end, nor break its framing; that is no fault of ours."""
    with dial(port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        try:
            sock.sendall(more)
        except ConnectionError:
            pass
        answer = rest(sock)
    assert (answer.startswith(b"HTTP/1.1 400 "), answer.count(b"HTTP/1.1 ")) == (True, 1)
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


def test_chunks_of_one_byte_are_a_body(port: int) -> None:
    """However wasteful its framing is; and trailers are no headers."""
    chunks = b"1\r\nx\r\n" * 100_000 + b"0\r\nauthorization: me\r\n\r\n"
    answer = ask(port, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks)
    (said,) = answers(answer)
    assert said["body"] == "x" * 100_000
    assert "authorization" not in said["headers"]


@pytest.mark.parametrize(
    ("sent", "says"),
    [(b"", b""), (b"GET / HT", b"HTTP/1.1 408 "), (b"GET / HTTP/1.1\r\nHost: x\r\n", b"HTTP/1.1 408 ")],
    ids=["silent", "half a line", "half a head"],
)
def test_a_head_comes_in_time_or_not(sent: bytes, says: bytes) -> None:
    """Who does not send the whole of it is sent away, also after an answer; who dripped is told why."""
    with server(Limits(head=0.3)) as port:
        assert ask(port, sent).startswith(says)
        again = ask(port, b"GET /first HTTP/1.1\r\n\r\n" + sent)
        assert again.startswith(b"HTTP/1.1 200 ")
        assert again.count(b"HTTP/1.1 ") == (2 if says else 1)
        assert says in again[12:]


def test_a_byte_now_and_then_does_not_help() -> None:
    """The time is that of the whole head."""
    with server(Limits(head=0.3)) as port, dial(port) as sock:
        sock.sendall(b"GET /")
        sock.settimeout(0.05)
        said = None
        while said is None:
            sock.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                said = sock.recv(100)
        assert said.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_is_left_out_does_not_keep_its_connection() -> None:
    """An answer that came before the body is the end of it, unless the body is sent."""
    with server(Limits(head=0.3)) as port:
        answer = ask(port, b"POST /deaf HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe")
        assert answers(answer)[0]["path"] == "/deaf"


@pytest.mark.parametrize("limits", [Limits(connections=20), Limits(peer=20)], ids=["overall", "one address"])
def test_silent_connections_keep_nobody_out(limits: Limits, caplog: pytest.LogCaptureFixture) -> None:
    """At the limit the one that has waited longest for a head goes; the log says so once, not for each."""
    caplog.set_level(logging.WARNING)
    with server(limits) as port:
        silent = [dial(port) for _ in range(200)]
        try:
            assert answers(ask(port, LAST))[0]["path"] == "/last"
            assert silent[0].recv(1) == b""
            silent[-1].sendall(LAST)
            assert answers(rest(silent[-1]))[0]["path"] == "/last"
        finally:
            for sock in silent:
                sock.close()
    lines = [one.message for one in caplog.records if one.message.startswith("refused clients")]
    assert lines == ["refused clients: 1 x a connection without a request, for a new one"]


def test_where_all_are_at_work_one_more_is_told_to_come_again() -> None:
    """No request under way is given up for another one; when one is over, the next is served."""
    with server(Limits(connections=3)) as port:
        busy = [dial(port) for _ in range(3)]
        for sock in busy:
            sock.sendall(b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        answer = ask(port, LAST)
        assert (answer[:13], answers(answer)[0]["type"]) == (b"HTTP/1.1 503 ", "urn:millrace:busy")
        assert b"retry-after: 5" in answer
        for sock in busy:
            sock.sendall(b"x")
            assert answers(rest(sock))[0]["body"] == "x"
            sock.close()
        assert answers(ask(port, LAST))[0]["path"] == "/last"


def test_files_are_kept_for_the_gateway_itself() -> None:
    """Fewer connections than files: a process without files would drop its clients in silence."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, files[1]))
    try:
        doors = ConnectionLimits(Limits())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, files)
    assert doors._most == 75


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0", "foo, h2c"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_upgrade_is_ignored(port: int, upgrade: str, chunked: bool) -> None:
    """A request that offers another protocol is read and answered like any other, and so is the one after it."""
    body = b'{"name": "Ada"}'
    head = (
        f"POST /up?x=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n"
        "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nAccept: a\r\nAccept: b\r\n"
    ).encode()
    framed = (
        b"Transfer-Encoding: chunked\r\n\r\n4\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (body[:4], len(body) - 4, body[4:])
        if chunked
        else b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    first, last = answers(ask(port, head + framed + LAST))
    assert (first["method"], first["path"], json.loads(first["body"])) == ("POST", "/up", {"name": "Ada"})
    assert not {"upgrade", "http2-settings"} & set(first["headers"])
    assert first["headers"].count("accept") == 2
    assert last["path"] == "/last"
    with dial(port) as sock:  # in pieces
        for byte in head + framed + LAST:
            sock.sendall(bytes([byte]))
        assert [one["path"] for one in answers(rest(sock))] == ["/up", "/last"]


@pytest.mark.parametrize(
    "data",
    [
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\na b: c\r\n\r\n",
    ],
    ids=["proxy", "two framings", "two lengths", "TLS", "a name with a space"],
)
def test_bytes_that_are_not_http_are_refused(port: int, data: bytes) -> None:
    """With a problem, and the end of the connection."""
    (problem,) = answers(ask(port, data))
    assert problem["status"] in (400, 405)


def test_requests_before_a_bad_one_are_answered(port: int) -> None:
    """Of a pipeline, what could be read is served; then the connection ends."""
    said = ask(port, b"GET /one HTTP/1.1\r\n\r\nGET /two HTTP/1.1\r\n\r\nnonsense\r\n\r\n")
    assert [one["path"] for one in answers(said)] == ["/one", "/two"]


def test_a_pipeline_has_an_end(port: int) -> None:
    """Thousands of requests in one packet are not all kept."""
    said = answers(ask(port, b"GET /n HTTP/1.1\r\n\r\n" * 3000))
    assert 1 <= len(said) <= 102
    said = answers(ask(port, b"GET /n HTTP/1.1\r\n\r\n" * 90 + LAST))
    assert len(said) == 91


def test_a_client_of_http_1_0_gets_no_chunks(port: int) -> None:
    """A body of unknown length ends with the connection there."""
    head, _, body = ask(port, b"GET /stream HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert json.loads(body)["path"] == "/stream"
    assert answers(ask(port, b"GET /x HTTP/1.0\r\n\r\n"))[0]["path"] == "/x"


def test_an_answer_that_is_not_read_is_given_up(port: int) -> None:
    """Whatever is sent: a client that takes nothing of it for long loses its connection."""
    with dial(port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /flood HTTP/1.1\r\n\r\n")
        assert GONE.wait(30)
