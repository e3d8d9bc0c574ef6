"""The `yard` fixture: two gateways, and a worker process with the chores, flow, the retries and the recorder."""

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
from tests.integration.support.gateway_world import World, events, wait, world

ROOT = Path(__file__).parents[3]
CHORES = "tests.integration.support.sample_services"
YAML = {"content-type": "application/yaml"}


@contextmanager
def worker(w: World, log: Path, *names: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process that serves, for as long as this lasts."""
    settings = {**w.settings.environ(), "MILLRACE_WORKERS": "1"}
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
def yard(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two gateways and one worker of everything."""
    folder = tmp_path_factory.mktemp("yard")
    with world(settings, folder) as made, worker(made, folder / "worker.log", CHORES, "flow", "retry", "recorder"):
        for gateway in (made.one, made.two):
            wait(lambda gateway=gateway: gateway.http.get("/services/naps").status_code == 200, "the chores are live")
        yield made


def put(w: World, text: str, **params: Any) -> dict[str, Any]:
    """Defines a pipeline; its document, once both gateways have it."""
    name = next(line.split()[1] for line in text.splitlines() if line.startswith("pipeline:"))
    answer = w.one.http.put(f"/pipelines/{name}", content=text, headers=YAML, params=params)
    assert answer.status_code in (200, 201), answer.text
    made: dict[str, Any] = answer.json()
    wait(lambda: w.two.http.get(f"/pipelines/{name}").headers.get("etag") == answer.headers["etag"], "both have it")
    return made


def submit(w: World, pipeline: str, **given: Any) -> str:
    """Asks for a run; its id."""
    answer = w.one.http.post(f"/pipelines/{pipeline}/runs", json=given)
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["id"]
    return run


def state(w: World, run: str) -> dict[str, Any]:
    """What a run is like now."""
    found: dict[str, Any] = w.two.http.get(f"/runs/{run}").json()
    return found


def ended(w: World, run: str, seconds: float = 60) -> dict[str, Any]:
    """What a run is like when it has ended."""
    over = ("finished", "failed", "cancelled")
    found: dict[str, Any] = wait(
        lambda: (one := state(w, run))["status"] in over and one, lambda: state(w, run), seconds
    )
    return found


def told(w: World, run: str) -> list[dict[str, Any]]:
    """Every event of a run that has ended."""
    with w.two.http.stream("GET", f"/runs/{run}/events") as stream:
        return [one for one in events(stream.iter_lines()) if one["event"] != "ping"]


def has(w: World, run: str, event: str, path: str = "") -> bool:
    """Whether a run has said this by now."""
    entry = w.two.app.components.following.cache.get(run)
    return entry is not None and any(line.kind == event for line in entry.events)
