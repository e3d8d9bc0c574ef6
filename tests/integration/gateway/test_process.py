"""The gateway as its own process."""

import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from streams.settings import Settings
from tests.integration.support.gateway_world import GatewayWorld, events, wait


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def start(settings: Settings, **more: str) -> subprocess.Popen[str]:
    """`python -m gateway` with these settings."""
    environ = {**os.environ, **settings.environ(), **more}
    return subprocess.Popen(
        [sys.executable, "-m", "gateway"], env=environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def test_a_process_serves_and_stops(gateways: GatewayWorld, tmp_path: Path) -> None:
    """A process serves on the loopback address alone, ends open streams at SIGTERM, and exits with 0 without noise."""
    world = gateways
    port = free_port()
    (tmp_path / "api-key").write_text(world.first.key + "\n")
    process = start(replace(world.settings, home=tmp_path, http_port=port))
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read()
        try:
            return httpx.get(f"{url}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait(ready, lambda: httpx.get(f"{url}/health/ready").text, 60)
        listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=False).stdout
        mine = [line.split()[3] for line in listening.splitlines() if f"pid={process.pid}," in line]
        assert mine in ([], [f"127.0.0.1:{port}"])
        run = world.submit()
        with httpx.stream(
            "GET", f"{url}/runs/{run.id}/events", headers={"authorization": f"Bearer {world.first.key}"}
        ) as stream:
            seen = events(stream.iter_lines())
            assert next(seen)["event"] == "run.accepted"
            process.send_signal(signal.SIGTERM)
            assert list(seen) == []
        assert process.wait(20) == 0
        assert process.stderr is not None
        noise = process.stderr.read()
        assert "Traceback" not in noise, noise
        assert world.first.key not in noise
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"MILLRACE_HTTP_PORT": "many"}, "MILLRACE_HTTP_PORT"),
        ({"MILLRACE_GATEWAY_CLIENTS": "-3"}, "MILLRACE_GATEWAY_CLIENTS"),
        ({"MILLRACE_GATEWAY_PING": "nan"}, "MILLRACE_GATEWAY_PING"),
    ],
)
def test_a_bad_setting(tmp_path: Path, more: dict[str, str], says: str) -> None:
    """A setting that cannot be used ends the process with status 2 and one line that names it."""
    environ = {**os.environ, "MILLRACE_HOME": str(tmp_path), **more}
    done = subprocess.run(
        [sys.executable, "-m", "gateway"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert re.fullmatch(rf"{says}: .*\n", done.stderr), done.stderr
