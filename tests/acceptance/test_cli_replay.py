"""Explaining and repeating runs from the command line."""

from pathlib import Path

import pytest

from tests.acceptance import pictures
from tests.acceptance.command import CommandResult, millrace
from tests.acceptance.system import System


@pytest.fixture(scope="module")
def home(system: System) -> Path:
    """The system's home."""
    return system.stack.home


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of one person."""
    path = tmp_path_factory.mktemp("photos") / "astronaut.png"
    path.write_bytes(pictures.astronaut())
    return path


@pytest.fixture(scope="module")
def finished_run(home: Path, photo: Path) -> str:
    """A run of `face-blur` that has finished."""
    said = millrace("run", "face-blur", "-i", f"photo=@{photo}", "--follow", home=home)
    assert said.status == 0, said.err
    return said.err.split()[-1]


def ok(home: Path, *arguments: str) -> CommandResult:
    """A command that must succeed."""
    said = millrace(*arguments, home=home)
    assert said.status == 0, said.err
    return said


def test_a_run_is_repeated_from_a_node_on(home: Path, finished_run: str) -> None:
    """`replay --from` prints the new run's events; what it takes over is named, and the new run gives the same kind of result."""
    said = ok(home, "replay", finished_run, "--from", "blur", "--set", "strength=0.3", "--follow")
    assert f"takes detect over from {finished_run}" in said.err
    started = [line for line in said.out.splitlines() if "node.started" in line]
    assert len(started) == 1
    assert "blur" in started[0]
    run = said.err.split()[2]
    assert ok(home, "explain", run).out.startswith(f"face-blur {run}: finished")


def test_another_photo(home: Path, finished_run: str, tmp_path: Path) -> None:
    """A photo can be given anew; everything runs again on it."""
    other = tmp_path / "small.png"
    other.write_bytes(pictures.small((40, 30)))
    (row,) = ok(home, "replay", finished_run, "--set", f"photo=@{other}", "--output", "json").rows
    assert row["reused"] == []
    (result,) = ok(home, "result", row["id"], "--wait", "60", "--output", "json").rows
    image = tmp_path / "out.png"
    assert result["id"] == row["id"]
    ok(home, "result", row["id"], "-o", str(image))
    assert pictures.opened(image.read_bytes()).size == (40, 30)


def test_mistakes_in_a_replay_are_listed(home: Path, finished_run: str) -> None:
    """Unknown nodes and wrong values are each named; an unknown run has a status of its own."""
    said = millrace("replay", finished_run, "--from", "blurr", "--set", "strength=much", home=home)
    assert (said.status, said.out) == (1, "")
    assert "no node 'blurr'" in said.err
    assert "strength: expected" in said.err
    assert millrace("replay", "no-such-run", home=home).status == 14
    assert millrace("explain", "no-such-run", home=home).status == 14
    assert millrace("replay", finished_run, "--set", "strength", home=home).status == 2
