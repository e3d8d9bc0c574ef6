"""A hang is a failure, also where an event loop runs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HANG = """
import asyncio, contextlib

async def in_the_way():
    while True:
        await asyncio.sleep(0)

async def for_ever():
    # Nearly always the alarm meets one of these, whose end nobody notices.
    others = [asyncio.create_task(in_the_way()) for _ in range(200)]
    await asyncio.Event().wait()

def test_hang():
    asyncio.run(for_ever())

def test_next():
    pass
"""


def test_a_test_that_hangs_in_a_loop_fails(tmp_path: Path) -> None:
    """It fails when its time is over, its tasks are shown, and the next test runs."""
    (tmp_path / "test_it.py").write_text(HANG)
    pytest = [sys.executable, "-m", "pytest", "-p", "tests.timeouts", "--timeout", "0.5"]
    done = subprocess.run(
        [*pytest, "--rootdir", tmp_path, "-c", "/dev/null", tmp_path / "test_it.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout
    assert "test_hang took longer than 0.5 s" in done.stdout
    assert "in for_ever" in done.stdout
