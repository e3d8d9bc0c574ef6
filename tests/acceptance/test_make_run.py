"""`make run` for a new user: a fresh checkout, a fresh virtual environment from the lock file, a real photo."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.home.state import await_free
from infra.local.processes.process import leftovers
from infra.local.running import RunningStack
from tests.integration.support.sockets import listening

TOP = Path(__file__).parents[2]
PATIENCE_SECONDS = 240.0


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, with neither environment nor state."""
    copy = tmp_path_factory.mktemp("stranger") / "millrace"
    left = shutil.ignore_patterns(
        ".git", ".venv", ".millrace", "__pycache__", ".*_cache", ".hypothesis", "dist", "target"
    )
    return shutil.copytree(TOP, copy, ignore=left)


class MakeRun:
    """One `make run`, with what it says."""

    def __init__(self, checkout: Path) -> None:
        environ = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "MILLRACE_HOME")}
        self.log = checkout / "said.txt"
        self.log.write_text("")
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                ["make", "run"], cwd=checkout, env=environ, stdout=output, stderr=output, start_new_session=True
            )

    def said(self) -> str:
        """Everything so far."""
        return self.log.read_text()

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until a line matches; fails with everything that was said when it ends before, or takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            ended = self.process.poll() is not None
            if found := re.search(pattern, self.said(), re.MULTILINE):
                return found
            assert not ended, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def end(self) -> None:
        """Ctrl-C: the terminal signals the whole foreground group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(60)


@pytest.fixture
def runs(checkout: Path) -> Iterator[type[MakeRun]]:
    """Whatever a test starts is ended."""
    yield MakeRun
    subprocess.run(["make", "clean"], cwd=checkout, check=True, capture_output=True)
    assert leftovers(checkout / ".millrace") == []


@pytest.mark.timeout(600)
def test_a_fresh_checkout_runs_its_main_job(checkout: Path, runs: type[MakeRun]) -> None:
    """The photo comes back blurred, over loopback alone; a second `make run` is refused; kill -9 and Ctrl-C leave nothing."""
    home = checkout / ".millrace"
    first = MakeRun(checkout)
    link = first.until(r"result: (http://127\.0\.0\.1:\d+/objects/\S+)")[1]
    events = re.findall(r" s  ([a-z.]+)", first.said())
    assert events[0] == "run.accepted"
    assert events[-1] == "run.finished"
    assert events.count("node.finished") == 2
    with httpx.Client(follow_redirects=True) as browser:
        answer = browser.get(link)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("image/")
    assert len(answer.content) > 10_000
    first.until("in a browser: ")
    assert {address for address, _ in listening(RunningStack(home).state.pid)} == {"127.0.0.1"}

    second = subprocess.run(["make", "run"], cwd=checkout, capture_output=True, text=True, check=False)
    assert second.returncode != 0
    assert f"runs already in {home}" in second.stderr
    assert RunningStack(home).state.ready

    first.process.kill()  # make alone, which started everything
    first.process.wait()
    again = MakeRun(checkout)
    again.until("result: http://")
    again.end()
    assert await_free(home, 30)
    assert leftovers(home) == []
    assert "stopped" in again.said()
