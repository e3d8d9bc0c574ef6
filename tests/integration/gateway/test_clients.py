"""Requests as clients that others have written send them: their own programs, against a running gateway."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.api.limits import Limits
from infra.local.installation import java
from tests.integration.gateway.test_inputs import given
from tests.integration.support.gateway_world import Gateway, GatewayWorld, png

ROOT = Path(__file__).parents[3]
SUBMIT = Path(__file__).parent / "clients" / "Submit.java"
JSON = b'{"name": "Ada", "times": 3}'
FORM = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAda\r\n--x\r\nContent-Disposition: form-data; name="times"\r\n\r\n3\r\n--x--\r\n'
BODIES = pytest.mark.parametrize(
    ("kind", "body"), [("application/json", JSON), ("multipart/form-data; boundary=x", FORM)], ids=["json", "form"]
)


def taken(world: GatewayWorld, said: str) -> None:
    """The run that an answer tells of has the input that was sent."""
    record = given(world, json.loads(said)["id"], "greet")
    assert (record["name"], record["times"]) == ("Ada", 3)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client in Java, compiled: by a compiler that the runtime of the parts, which has none, can run."""
    folder = tmp_path_factory.mktemp("java")
    environ = {**os.environ, **java.environ()}
    if shutil.which("java") is None:  # a Java of the system knows the certificates of the system
        environ.setdefault("JAVA_HOME", str(java.home()))
    maven = ["mvn", "-B", "-q", "-f", str(ROOT / "docs" / "how-to" / "producers" / "pom.xml"), "process-resources"]
    limits = ["-DincludeArtifactIds=ecj", f"-Djars={folder}"]
    done = subprocess.run([*maven, *limits], env=environ, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    (compiler,) = folder.glob("ecj-*.jar")
    command = java.command(256, "-jar", str(compiler), "-17", "-d", str(folder), str(SUBMIT))
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@BODIES
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_the_client_of_java(
    gateways: GatewayWorld, classes: Path, tmp_path: Path, kind: str, body: bytes, framing: str
) -> None:
    """It offers h2c with every request; its body is read all the same."""
    (tmp_path / "body").write_bytes(body)
    world = gateways
    program = [
        "-cp",
        str(classes),
        "Submit",
        f"{world.first.url}/pipelines/greet/runs",
        world.first.key,
        kind,
        str(tmp_path / "body"),
        framing,
    ]
    environ = {**os.environ, **java.environ()}
    done = subprocess.run(java.command(128, *program), capture_output=True, text=True, timeout=120, env=environ)
    assert done.returncode == 0, done.stderr
    status, version, said = done.stdout.split(" ", 2)
    assert (status, version) == ("202", "HTTP_1_1")
    taken(world, said)


@BODIES
@pytest.mark.parametrize("more", [[], ["-H", "Transfer-Encoding: chunked"]], ids=["length", "chunked"])
def test_curl_with_http2(gateways: GatewayWorld, kind: str, body: bytes, more: list[str]) -> None:
    """`curl --http2` asks for the other protocol; it gets this one, and its answer."""
    world = gateways
    command = [
        "curl",
        "-sS",
        "--http2",
        "-H",
        f"Authorization: Bearer {world.first.key}",
        "-H",
        f"Content-Type: {kind}",
        *more,
    ]
    command += ["--data-binary", "@-", f"{world.first.url}/pipelines/greet/runs"]
    done = subprocess.run(command, input=body, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    taken(world, done.stdout.decode())


@pytest.fixture(scope="module")
def impatient_gateway(gateways: GatewayWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that waits for nothing long."""
    home = tmp_path_factory.mktemp("gateway")
    (home / "api-key").write_text(gateways.first.key)
    made = Gateway(replace(gateways.settings, home=home), Limits(patience=0.5, head=0.5)).ready()
    yield made
    made.stop()


def begin(gateway: Gateway, method: str, path: str, kind: str, size: int, sent: bytes) -> Any:
    """The answer to a request whose body stops."""
    with socket.create_connection(("127.0.0.1", int(gateway.url.rpartition(":")[2])), timeout=30) as sock:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
        sock.sendall(head.encode() + sent)
        data = b""
        while piece := sock.recv(65536):  # until the gateway closes
            data += piece
        return data


@pytest.mark.parametrize(
    ("method", "path", "kind", "size"),
    [
        ("POST", "/session", "application/x-www-form-urlencoded", 20),
        ("POST", "/pipelines/greet/runs", "application/json", 20),
        ("POST", "/pipelines/greet/runs", "application/json", 200_000),
        ("POST", "/pipelines/pass-photo/runs", "multipart/form-data; boundary=x", 20),
        ("PUT", "/pipelines/fresh", "application/yaml", 20),
        ("POST", "/pipelines/greet/rollback", "application/json", 20),
        ("PUT", "/models/digit-detect/champion", "application/json", 20),
        ("POST", "/predictions/1/corrections", "application/json", 20),
        ("POST", "/runs/1/replay", "application/json", 20),
    ],
)
def test_every_call_waits_for_its_body_so_long_and_no_longer(
    impatient_gateway: Gateway, method: str, path: str, kind: str, size: int
) -> None:
    """408, which says how long, and the end of the connection."""
    said = begin(impatient_gateway, method, path, kind, size, b"{")
    assert said.startswith(b"HTTP/1.1 408 "), said
    assert b"The body did not arrive within 0.5 s." in said


def test_a_client_that_has_sent_its_body_may_wait(impatient_gateway: Gateway, gateways: GatewayWorld) -> None:
    """The time is for the body: a result, or events, may take longer."""
    world = gateways
    answer = impatient_gateway.http.post("/pipelines/greet/runs", json={"name": "x"}, headers={"prefer": "wait=2"})
    assert answer.status_code == 202, answer.text
    run = world.run(answer.json()["id"])
    with impatient_gateway.http.stream("POST", "/pipelines/pass-photo/runs", files={"photo": ("p", png(4, 4))}, headers={"accept": "text/event-stream"}) as stream:  # fmt: skip
        assert stream.status_code == 200
    world.finish(run)
