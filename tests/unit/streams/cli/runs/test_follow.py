"""Following a run over connections that break: a real HTTP server that ends its answers in the middle."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from streams.cli.client import Gateway
from streams.cli.exits import Exit, Failed
from streams.cli.output import Output
from streams.cli.runs import follow
from streams.settings import Settings

KINDS = ["run.accepted", "node.started", "node.finished", "run.finished"]

Answer = Callable[[BaseHTTPRequestHandler, int], None]
"""Answers a request, knowing how many came before it."""


@contextmanager
def served(home: Path, answer: Answer) -> Iterator[tuple[Gateway, list[str | None]]]:
    """A gateway client for a server that answers so, and the Last-Event-ID of every request."""
    asked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("last-event-id"))
            answer(self, len(asked) - 1)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    home.mkdir(exist_ok=True)
    (home / "api-key").write_text("a key of sixteen characters\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        with Gateway(Settings(home=home, http_port=server.server_address[1])) as gateway:
            yield gateway, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, first: int, last: int, *, whole: bool = True, then: bytes = b"") -> None:
    """Events from `first` to before `last`; when not whole, the answer breaks off before its end."""
    body = b": ping\n\n"
    for number in range(first, last):
        data: dict[str, Any] = {
            "event": KINDS[number],
            "run": "r",
            "path": None,
            "at": f"2026-01-01T00:00:0{number}Z",
            "output": {},
        }
        body += f"id: {10 + number}\nevent: {KINDS[number]}\ndata: {json.dumps(data)}\n\n".encode()
    body += then
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("content-length", str(len(body) + (0 if whole else 1)))
    handler.end_headers()
    handler.wfile.write(body)


def refuse(handler: BaseHTTPRequestHandler, status: int, kind: str) -> None:
    """A problem document."""
    body = json.dumps({"type": f"urn:millrace:{kind}", "title": "No", "status": status, "detail": "Because."}).encode()
    handler.send_response(status)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def names(gateway: Gateway, after: str = "") -> list[str]:
    """The names of all events."""
    return [frame.name for frame in follow.events(gateway, "r", after, pause=lambda _: None)]


def test_the_last_event_ends_it(tmp_path: Path) -> None:
    """A stream with the last event is read once."""
    with served(tmp_path, lambda handler, _: send(handler, 0, 4)) as (gateway, asked):
        assert names(gateway) == KINDS
        assert asked == [None]


def test_comes_back_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a connection that broke, one that ended early and a server that was away, each event is seen once."""

    def answer(handler: BaseHTTPRequestHandler, count: int) -> None:
        if count == 0:
            send(handler, 0, 1, whole=False)
        elif count == 1:
            refuse(handler, 503, "away")
        elif count == 2:
            send(handler, 1, 3, then=b"id: 13\nevent: run.fini")
        else:
            send(handler, 3, 4)

    with served(tmp_path, answer) as (gateway, asked):
        assert names(gateway) == KINDS
        assert asked == [None, "10", "10", "12"]
    assert capsys.readouterr().err.count("coming back") == 3


def test_a_fault_of_the_stream_is_come_back_from(tmp_path: Path) -> None:
    """An `error` event is no event of the run: the stream is taken up again behind the last one that was."""

    def answer(handler: BaseHTTPRequestHandler, count: int) -> None:
        if count == 0:
            send(handler, 0, 2, then=b'event: error\ndata: {"detail": "Kafka is away"}\n\n')
        else:
            send(handler, 2, 4)

    with served(tmp_path, answer) as (gateway, asked):
        assert names(gateway) == KINDS
        assert asked == [None, "11"]


def test_nothing_after_the_end(tmp_path: Path) -> None:
    """204 says that there is nothing behind the id that was given."""

    def answer(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.send_response(204)
        handler.end_headers()

    with served(tmp_path, answer) as (gateway, asked):
        assert names(gateway, after="13") == []
        assert asked == ["13"]


def test_a_refusal_is_final(tmp_path: Path) -> None:
    """A run that does not exist is not asked for again."""
    with served(tmp_path, lambda handler, _: refuse(handler, 404, "not-found")) as (gateway, asked):
        with pytest.raises(Failed, match="Because") as refused:
            names(gateway)
        assert refused.value.exit is Exit.UNKNOWN
        assert len(asked) == 1


def test_patience_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that stays away is given up, and the command that goes on is named."""
    monkeypatch.setattr(follow, "PATIENCE", 0.0)
    with (
        served(tmp_path, lambda handler, _: refuse(handler, 503, "away")) as (gateway, _),
        pytest.raises(Failed, match="millrace events r") as given_up,
    ):
        names(gateway)
    assert given_up.value.exit is Exit.UNAVAILABLE


def test_shows_each_event_and_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Events are printed with the seconds since the first, and the status is that of the last one."""
    with served(tmp_path, lambda handler, _: send(handler, 0, 4)) as (gateway, _):
        assert follow.show(gateway, "r", Output.TEXT) is Exit.DONE
        text = capsys.readouterr().out
        assert follow.show(gateway, "r", Output.JSON) is Exit.DONE
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert text.splitlines()[2] == "   2.00 s  node.finished"
    assert [row["event"] for row in rows] == KINDS


def test_results_for_people() -> None:
    """Images are shown by their addresses, lists of them one a line, the rest as JSON."""
    ref = {"media_type": "image/png", "size": 12345}
    image = {"ref": ref, "href": "/objects/b/k"}
    shown = follow.result(
        "http://host", {"image": image, "all": [image, image], "none": [], "text": "a", "number": 0.5}
    )
    assert shown.splitlines() == [
        "image: http://host/objects/b/k  (image/png, 12,345 bytes)",
        "all:",
        "  http://host/objects/b/k  (image/png, 12,345 bytes)",
        "  http://host/objects/b/k  (image/png, 12,345 bytes)",
        "none: []",
        "text: a",
        "number: 0.5",
    ]


def test_progress_is_one_line() -> None:
    """How far a node is stands in percent with its text, or with its figures where it has none."""
    event = {"event": "node.progress", "path": "train", "service": "digit-train", "number": 3}
    said = follow.line({**event, "done": 0.19, "text": "epoch 3 of 16", "figures": {"loss": 0.02}}, 12.3)
    assert " ".join(said.split()) == "12.30 s node.progress train (digit-train) 19% epoch 3 of 16"
    assert follow.line({**event, "figures": {"loss": 0.02}}, 0).endswith('{"loss": 0.02}')
