"""Callbacks: another system hears of a run's end, once it can be reached, and nobody else does."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.api.limits import Limits
from streams.messages import Event
from tests.integration.support.gateway_world import FAILED, Gateway, GatewayWorld, wait


@dataclass
class Listener:
    """A system that is called back: what it heard, and what it is to answer, the last answer again and again."""

    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=lambda: [204])
    port: int = 0

    def of(self, run: str) -> list[dict[str, Any]]:
        """What it heard of a run."""
        return [json.loads(body) for headers, body in self.heard if headers["millrace-run"] == run]


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """A listener on a free port."""
    made = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            answer = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
            self.send_response(answer)
            if answer == 302:
                self.send_header("location", f"http://127.0.0.1:{made.port}/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def calling_gateway(
    gateways: GatewayWorld, listener: Listener, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that may call the listener."""
    made = caller(gateways, listener, tmp_path_factory.mktemp("gateway"))
    yield made
    made.stop()


def caller(world: GatewayWorld, listener: Listener, home: Path) -> Gateway:
    """A gateway with the same key that may call the listener."""
    (home / "api-key").write_text(world.first.key)
    return Gateway(replace(world.settings, home=home), Limits(callbacks=f"127.0.0.1:{listener.port}")).ready()


def submit(gateway: Gateway, url: str, **headers: str) -> Any:
    """A run that calls back."""
    return gateway.http.post("/pipelines/greet/runs", params={"callback_url": url}, json={"name": "x"}, headers=headers)


def test_the_end_of_a_run_is_delivered(gateways: GatewayWorld, calling_gateway: Gateway, listener: Listener) -> None:
    """The result is posted as soon as the run has ended, signed with a secret that is not the key."""
    world = gateways
    answer = submit(calling_gateway, f"http://127.0.0.1:{listener.port}/hook")
    assert answer.status_code == 202, answer.text
    run = world.run(answer.json()["id"])
    world.finish(run, {"text": "done"})
    wait(lambda: listener.of(run.id), "the callback")
    headers, body = next(one for one in listener.heard if one[0]["millrace-run"] == run.id)
    document = json.loads(body)
    assert (document["id"], document["status"], document["output"]) == (run.id, "finished", {"text": "done"})
    stamp = headers["webhook-timestamp"]
    environ = {**os.environ, "MILLRACE_HOME": str(world.settings.home)}
    command = [sys.executable, "-m", "streams.cli", "callbacks", "secret"]
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()
    assert world.first.key not in said
    secret = base64.b64decode(said.removeprefix("whsec_"), validate=True)
    signed = hmac.new(secret, f"{headers['webhook-id']}.{stamp}.".encode() + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(signed).decode()
    assert headers["millrace-signature"] == "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def test_a_callback_is_tried_again(gateways: GatewayWorld, calling_gateway: Gateway, listener: Listener) -> None:
    """A receiver that fails, or sends elsewhere, is tried again until it takes it; the run is not touched by that."""
    world = gateways
    listener.answers = [500, 302, 204]
    run = world.run(submit(calling_gateway, f"http://127.0.0.1:{listener.port}/hook").json()["id"])
    world.tell(Event(run, FAILED, data={"reason": "no", "fault": "caller"}))
    wait(lambda: len(listener.of(run.id)) >= 3, "three tries", 40)
    document = listener.of(run.id)[-1]
    assert (document["status"], document["failure"]["reason"]) == ("failed", "no")
    assert world.first.http.get(f"/runs/{run.id}").json()["status"] == "failed"


@pytest.fixture
def dripping_port() -> Iterator[int]:
    """The port of a receiver that begins its answer to everybody and never comes to its end."""
    stopped = threading.Event()

    def drip(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            sock.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stopped.wait(0.2):
                sock.sendall(b"x-more: y\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        stopped.set()


def test_a_receiver_that_drips_keeps_no_other_waiting(
    gateways: GatewayWorld, listener: Listener, dripping_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others hear at once; what drips is cut off after its time and tried again, with the reason."""
    world = gateways
    monkeypatch.setattr("gateway.callbacks.posting.ATTEMPT", 3.0)
    (tmp_path / "api-key").write_text(world.first.key)
    allowed = f"127.0.0.1:{listener.port},127.0.0.1:{dripping_port}"
    gateway = Gateway(replace(world.settings, home=tmp_path), Limits(callbacks=allowed)).ready()
    try:
        slow = [world.run(submit(gateway, f"http://127.0.0.1:{dripping_port}/hook").json()["id"]) for _ in range(3)]
        good = world.run(submit(gateway, f"http://127.0.0.1:{listener.port}/hook").json()["id"])
        for run in (*slow, good):
            world.finish(run, {"text": "done"})
        wait(lambda: listener.of(good.id), "the callback")
        with psycopg.connect(world.settings.postgres, autocommit=True) as connection:
            query = "select outcome, error from callbacks where run = %s"
            assert connection.execute(query, (slow[0].id,)).fetchone() == (None, None)  # still under way
            wait(lambda: (connection.execute(query, (slow[0].id,)).fetchone() or (0, None))[1], "it is cut off")
    finally:
        gateway.stop()


def test_nobody_reads_the_address_in_the_events(
    gateways: GatewayWorld, calling_gateway: Gateway, listener: Listener
) -> None:
    """It may hold a token, and everybody who may read runs would see it."""
    run = submit(
        calling_gateway, f"http://127.0.0.1:{listener.port}/hook?token=hush", **{"idempotency-key": "hush"}
    ).json()["id"]
    gateways.finish(gateways.run(run))
    with gateways.first.http.stream("GET", f"/runs/{run}/events") as stream:
        said = stream.read().decode()
    assert "fingerprint" in said
    assert "hush" not in said


def test_another_gateway_delivers_what_one_left_behind(
    gateways: GatewayWorld, listener: Listener, tmp_path: Path
) -> None:
    """When the gateway that took the run is gone, another one calls back, going by the history."""
    world = gateways
    first = caller(world, listener, tmp_path)
    run = world.run(submit(first, f"http://127.0.0.1:{listener.port}/hook").json()["id"])
    first.stop()
    offset = world.finish(run, {"text": "later"})
    world.record(run, [(offset, Event(run, FAILED.RUN_FINISHED, data={"output": {"text": "later"}}))])
    second = caller(world, listener, tmp_path)
    try:
        wait(lambda: listener.of(run.id), "the callback")
        assert listener.of(run.id)[0]["output"] == {"text": "later"}
    finally:
        second.stop()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/hook",
        "http://169.254.169.254/latest",
        "http://localhost:{port}/hook",
        "http://user:pass@127.0.0.1:{port}/hook",
        "https://127.0.0.1/hook",
        "file:///etc/passwd",
        "ftp://127.0.0.1:{port}/x",
        "http://127.0.0.1:{port}@evil.example/",
        "http://[::1",
        "http://127.0.0.1:{port}/a\r\nx: y",
        "http://127.0.0.1:{port}/a b",
        "http://127.0.0.1:{port}/\x7f",
        "nonsense",
        "",
    ],
)
def test_addresses_that_may_not_be_called(calling_gateway: Gateway, listener: Listener, url: str) -> None:
    """Only the hosts that the operator named can be called; anything else is refused before the run begins."""
    answer = submit(calling_gateway, url.format(port=listener.port))
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "callback_url"), answer.text


def test_callbacks_are_off_unless_hosts_are_named(gateways: GatewayWorld) -> None:
    """Without allowed hosts a callback is refused, and the setting is named."""
    answer = submit(gateways.first, "http://127.0.0.1/hook")
    assert answer.status_code == 422
    assert "MILLRACE_GATEWAY_CALLBACKS" in answer.json()["errors"][0]["hint"]


def test_a_callback_belongs_to_the_key(gateways: GatewayWorld, calling_gateway: Gateway, listener: Listener) -> None:
    """A repeated key with another callback is another request; the refused one is never called."""
    world = gateways
    url = f"http://127.0.0.1:{listener.port}"
    first = submit(calling_gateway, f"{url}/a", **{"idempotency-key": "callback-key-1"})
    assert first.status_code == 202
    assert submit(calling_gateway, f"{url}/b", **{"idempotency-key": "callback-key-1"}).status_code == 422
    assert submit(calling_gateway, f"{url}/a", **{"idempotency-key": "callback-key-1"}).status_code == 409
    world.finish(world.run(first.json()["id"]))
    wait(lambda: listener.of(first.json()["id"]), "the callback")
    assert len(listener.of(first.json()["id"])) == 1
