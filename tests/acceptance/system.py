"""Run a whole system as a user does: start it by its command, use it over HTTP and Kafka, know only its documentation."""

import contextlib
import dataclasses
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from infra.local.home.ports import PREFERRED, Ports
from infra.local.running import RunningStack
from streams.settings import Settings
from tests.acceptance.sse import StreamEvent, events
from tests.detectors.folder import shapes
from tests.integration.support.eventually import eventually

ROOT = Path(__file__).parents[2]
STARTING_SECONDS = 170
SECRET = "an-operator-s-very-own-token"
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here is encrypted; reading the authorities of the world anew for each client would take longer than its call."""


@dataclasses.dataclass(frozen=True)
class GatewayClient:
    """Send requests to one gateway, with its key."""

    url: str
    key: str

    @property
    def http(self) -> httpx.Client:
        """A client of its own, which sends the key."""
        return httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, timeout=30, verify=_NO_TLS
        )

    def submit(self, pipeline: str, *, kind: str = "pipelines", **request: Any) -> str:
        """Asks for a run; its id."""
        with self.http as http:
            answer = http.post(f"/{kind}/{pipeline}/runs", **request)
        assert answer.status_code == 202, answer.text
        run: str = answer.json()["id"]
        assert answer.headers["location"] == f"/runs/{run}"
        return run

    def follow(self, run: str, after: int | None = None) -> list[StreamEvent]:
        """Every event of a run (past the id `after`) until its stream ends."""
        headers = {} if after is None else {"last-event-id": str(after)}
        with self.http as http, http.stream("GET", f"/runs/{run}/events", headers=headers) as stream:
            assert stream.status_code == 200, stream.read()
            assert stream.headers["content-type"].startswith("text/event-stream")
            return list(events(stream.iter_lines()))

    def output(self, run: str) -> Any:
        """What a run gives. Fails when it does not finish."""
        last = self.follow(run)[-1]
        assert last.name == "run.finished", last.data
        return last.data["output"]

    def object(self, image: dict[str, Any]) -> httpx.Response:
        """The bytes behind an image of an output."""
        with self.http as http:
            answer = http.get(image["href"])
        assert answer.status_code == 200, answer.text
        return answer


@dataclasses.dataclass(frozen=True)
class System(GatewayClient):
    """A running system: its first gateway, and where its parts are."""

    stack: RunningStack

    @property
    def settings(self) -> Settings:
        """Where Kafka, the registry and the others are."""
        return self.stack.settings

    @contextlib.contextmanager
    def gateway(self, folder: Path) -> Iterator[GatewayClient]:
        """A second gateway on another port, for as long as this lasts."""
        with Ports(folder / "ports.json", {}) as ports:
            port = ports["gateway"]
        environ = dataclasses.replace(self.settings, http_port=port).environ()
        door = GatewayClient(f"http://127.0.0.1:{port}", self.key)
        with process([sys.executable, "-m", "gateway"], folder / "gateway.log", environ) as child:
            eventually(lambda: child.poll() is None and _ready(door), 60)
            yield door


@contextlib.contextmanager
def started(home: Path) -> Iterator[System]:
    """A system of its own in this home, on free ports, with its gateway, flow and one worker."""
    with Ports(home / "ports.json", {}) as ports:
        for name in PREFERRED:  # remembered in the home, and taken from there: nobody's usual ports are touched
            ports[name]
    log = home / "up.log"
    command = [sys.executable, "-m", "infra.local", "up", "--home", str(home)]
    with process(command, log, outside(home)) as child:

        def up() -> bool:
            assert child.poll() is None, log.read_text()
            return "serving at" in log.read_text()

        try:
            eventually(up, STARTING_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"the system did not start: {log.read_text()}") from error
        yield running(home)


@contextlib.contextmanager
def session_system() -> Iterator[Path]:
    """Start the system that all processes of a test run share, and yield its home."""
    home = Path(tempfile.mkdtemp(prefix="millrace-system-"))
    try:
        with started(home):
            yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def outside(home: Path) -> dict[str, str]:
    """What the operator sets: pipelines may call servers of this machine, with a secret for them, and shapes are found."""
    secrets = home / "secrets"
    secrets.mkdir()
    (secrets / "shop-token").write_text(SECRET)
    (secrets / "shop-token.origins").write_text("http://127.0.0.1:*")
    return {
        "MILLRACE_HTTP_ALLOW": "* http://127.0.0.1:* at 127.0.0.1/32",
        "MILLRACE_HTTP_SECRETS": str(secrets),
        "MILLRACE_OBJECT_DETECTOR": str(shapes(home / "detector")),
    }


def running(home: Path) -> System:
    """The system that runs in this home."""
    stack = RunningStack(home)
    return System(stack.state.url, (stack.home / "api-key").read_text().strip(), stack)


@contextlib.contextmanager
def process(command: list[str], log: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end when this ends, and must do so by itself."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_") or name in _KEPT}
    with log.open("wb") as out:
        child = subprocess.Popen(command, cwd=ROOT, env={**others, **environ}, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise AssertionError(f"{command} did not end when it was told to") from None


_KEPT = ("MILLRACE_DATA", "MILLRACE_CI_MARK")


def _ready(door: GatewayClient) -> bool:
    with door.http as http:
        return http.get("/health/ready").status_code == 200


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of a refusal, with the parts that every one has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.text)
    assert document["status"] == status
    assert document["type"].startswith("urn:millrace:")
    assert document["title"]
    assert document["detail"]
    return document
