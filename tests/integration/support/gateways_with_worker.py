"""Run two gateways, and a worker process with the sample services, flow, the retries and the recorder."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from tests.integration.support.gateway_world import GatewayWorld, events, gateway_world, wait

ROOT = Path(__file__).parents[3]
SAMPLE_SERVICES = "tests.integration.support.sample_services"
YAML = {"content-type": "application/yaml"}


@contextmanager
def worker(world: GatewayWorld, log: Path, *names: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process that serves, for as long as this lasts."""
    settings = {**world.settings.environ(), "MILLRACE_WORKERS": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "agents", *names],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=out,
            stderr=subprocess.STDOUT,
        )

    def serves() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        return "agents: ready" in log.read_text(errors="replace")

    try:
        wait(serves, lambda: log.read_text()[-3000:], 90)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def gateways_with_worker(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Yield two gateways and one worker of everything."""
    folder = tmp_path_factory.mktemp("gateways")
    with (
        gateway_world(settings, folder) as made,
        worker(made, folder / "worker.log", SAMPLE_SERVICES, "flow", "retry", "recorder"),
    ):
        for gateway in (made.first, made.second):
            wait(
                lambda gateway=gateway: gateway.http.get("/services/naps").status_code == 200,
                "the sample services are live",
            )
        yield made


def put(world: GatewayWorld, text: str, **params: Any) -> dict[str, Any]:
    """Defines a pipeline; its document, once both gateways have it."""
    name = next(line.split()[1] for line in text.splitlines() if line.startswith("pipeline:"))
    answer = world.first.http.put(f"/pipelines/{name}", content=text, headers=YAML, params=params)
    assert answer.status_code in (200, 201), answer.text
    made: dict[str, Any] = answer.json()
    wait(
        lambda: world.second.http.get(f"/pipelines/{name}").headers.get("etag") == answer.headers["etag"],
        "both have it",
    )
    return made


def submit(world: GatewayWorld, pipeline: str, **given: Any) -> str:
    """Asks for a run; its id."""
    answer = world.first.http.post(f"/pipelines/{pipeline}/runs", json=given)
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["id"]
    return run


def state(world: GatewayWorld, run: str) -> dict[str, Any]:
    """What a run is like now."""
    found: dict[str, Any] = world.second.http.get(f"/runs/{run}").json()
    return found


def ended(world: GatewayWorld, run: str, seconds: float = 60) -> dict[str, Any]:
    """What a run is like when it has ended."""
    over = ("finished", "failed", "cancelled")
    found: dict[str, Any] = wait(
        lambda: (one := state(world, run))["status"] in over and one, lambda: state(world, run), seconds
    )
    return found


def events_of(world: GatewayWorld, run: str) -> list[dict[str, Any]]:
    """Every event of a run that has ended."""
    with world.second.http.stream("GET", f"/runs/{run}/events") as stream:
        return [one for one in events(stream.iter_lines()) if one["event"] != "ping"]


def has(world: GatewayWorld, run: str, event: str, path: str = "") -> bool:
    """Whether a run has said this by now."""
    entry = world.second.app.components.following.cache.get(run)
    return entry is not None and any(line.kind == event for line in entry.events)
