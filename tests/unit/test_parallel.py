"""Several processes run the tests: what they share is started once and ended, nothing is lost, and a test may be alone."""

import subprocess
import sys
from pathlib import Path

from tests.parallel import ORDER, TOGETHER, group, rank

ROOT = Path(__file__).parents[2]
CONFTEST = """
import os
from contextlib import contextmanager
from pathlib import Path
import pytest
from tests.parallel import *
from tests.sharing import shared

@pytest.fixture(scope="session")
def resource(pytestconfig):
    with shared(pytestconfig, "{name}") as home:
        yield home
"""
RESOURCE = """
from contextlib import contextmanager
from pathlib import Path

LOG = Path(__file__).with_name("log")

@contextmanager
def kept():
    with LOG.open("a") as log:
        log.write("start\\n")
    yield LOG.parent
    with LOG.open("a") as log:
        log.write("stop\\n")

@contextmanager
def broken():
    raise RuntimeError("no such part")
    yield
"""
USES = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_it(resource, number):
    assert (resource / "log").read_text() == "start\\n"
"""
ALONE = """
import time
import pytest
from pathlib import Path

HERE = Path(__file__).parent

@pytest.mark.parametrize("number", range(4))
def test_beside_others(number):
    (HERE / "running-{me}").touch()
    time.sleep(0.1)
    (HERE / "running-{me}").unlink()

@pytest.mark.alone
def test_alone():
    for _ in range(20):
        assert list(HERE.glob("running-*")) == []
        time.sleep(0.02)
"""
CRASH = """
import os

def test_before():
    pass

def test_that_ends_its_process():
    os._exit(3)

def test_after():
    pass
"""


def pytest_in_two(
    folder: Path, *arguments: str, name: str = "resource_of_test:kept"
) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder in two processes."""
    (folder / "conftest.py").write_text(CONFTEST.replace("{name}", name))
    (folder / "resource_of_test.py").write_text(RESOURCE)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = alone: alone\npythonpath = .\n")
    command = [sys.executable, "-m", "pytest", "-n", "2", "--rootdir", str(folder), "-c", str(folder / "pytest.ini")]
    return subprocess.run(
        [*command, *arguments, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_resource_is_started_once_and_stopped(tmp_path: Path) -> None:
    """Two processes with three tests each find one resource, which is stopped when they are done."""
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(USES)
    done = pytest_in_two(tmp_path)
    assert "6 passed" in done.stdout, done.stdout
    assert done.returncode == 0
    assert (tmp_path / "log").read_text() == "start\nstop\n"


def test_a_resource_that_does_not_start_fails_its_tests(tmp_path: Path) -> None:
    """Each test that needs it fails with the reason, at once."""
    (tmp_path / "test_a.py").write_text(USES)
    done = pytest_in_two(tmp_path, name="resource_of_test:broken")
    assert "3 errors" in done.stdout, done.stdout
    assert "RuntimeError: no such part" in done.stdout
    assert done.returncode == 1


def test_a_test_that_breaks_things_is_alone(tmp_path: Path) -> None:
    """No test of its folder runs beside it."""
    for name in ("a", "b", "c"):
        (tmp_path / f"test_{name}.py").write_text(ALONE.replace("{me}", name))
    done = pytest_in_two(tmp_path)
    assert "15 passed" in done.stdout, done.stdout


def test_a_process_that_dies_fails_the_run(tmp_path: Path) -> None:
    """The test that killed it is named, and the others are run by another process."""
    (tmp_path / "test_a.py").write_text(CRASH)
    done = pytest_in_two(tmp_path, "--max-worker-restart", "1")
    assert done.returncode == 1
    assert "test_a.py::test_that_ends_its_process" in done.stdout


def test_tests_that_were_not_run_fail(tmp_path: Path) -> None:
    """No process is started again, so what was left is reported as failed, one by one: green means that all was run."""
    (tmp_path / "test_a.py").write_text(CRASH)
    done = pytest_in_two(tmp_path, "--max-worker-restart", "0")
    assert done.returncode != 0
    assert "passed" in done.stdout
    assert "test_after" in done.stdout


def test_modules_stay_together() -> None:
    """A module is run by one process, and so are those that would stand in each other's way."""
    assert group("tests/unit/test_a.py::TestIt::test_b[1]") == "tests/unit/test_a.py"
    assert group("tests/integration/training/test_cells.py::test_x") == "trainings"
    assert group("tests/acceptance/test_cli.py::test_x") != group("tests/acceptance/test_cli_offline.py::test_x")


def test_the_order_names_what_there_is() -> None:
    """Each prefix leads to tests, and each test has a place."""
    for prefix in (*ORDER, *(prefix for prefixes in TOGETHER.values() for prefix in prefixes)):
        assert list(ROOT.glob(f"{prefix}*")), prefix
    assert {rank(name) for name in TOGETHER} <= set(range(len(ORDER) - 1))
    assert rank("tests/unit/test_a.py") == len(ORDER) - 1
    assert rank("tests/chaos/test_kills.py") < rank("tests/property/test_runs.py")
