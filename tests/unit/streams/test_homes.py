"""A stack that runs is found from other folders and other shells."""

from pathlib import Path

import pytest

from infra.local.home import state
from infra.local.home.state import PartState, StackState, State, visible
from streams import homes
from streams.settings import Settings


def running(home: Path, **others: str) -> Path:
    """A home in which a stack runs, as its state file says."""
    home.mkdir(parents=True)
    settings = Settings.read({"MILLRACE_HOME": str(home), **others})
    state.write(home, StackState(1, visible(settings), {"kafka": PartState(State.READY)}))
    return home


def test_millrace_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MILLRACE_HOME comes before anything that runs."""
    running(tmp_path / ".millrace")
    monkeypatch.chdir(tmp_path)
    assert homes.find({"MILLRACE_HOME": "other"}) == Path("other")


def test_the_stack_of_this_folder_or_one_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As git finds a repository."""
    environ = {"HOME": str(tmp_path / "user")}
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert homes.find(environ) == Path(".millrace")
    home = running(tmp_path / "a" / ".millrace")
    assert homes.find(environ) == home
    running(tmp_path / "a" / "b" / ".millrace")
    assert homes.find(environ) == Path(".millrace")


def test_the_only_stack_of_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder; of two, none is meant, nor one that has ended."""
    environ = {"HOME": str(tmp_path / "user")}
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    first, second = running(tmp_path / "first"), running(tmp_path / "second")
    noted = homes.note(first, environ)
    assert homes.find(environ) == first
    homes.note(second, environ)
    assert homes.find(environ) == homes.DEFAULT
    noted.unlink()
    assert homes.find(environ) == second
    state.remove(second)
    assert homes.find(environ) == homes.DEFAULT


def test_the_data_of_the_stack_are_found_too(tmp_path: Path) -> None:
    """What was set in the shell of `make run` holds in others; what is set there comes first."""
    home = running(tmp_path / "home", MILLRACE_DATA="/data", MILLRACE_TRAIN="/train")
    found = Settings.read({"MILLRACE_HOME": str(home)})
    assert (found.data, found.train) == (Path("/data"), Path("/train"))
    assert Settings.read({"MILLRACE_HOME": str(home), "MILLRACE_DATA": "/mine"}).data == Path("/mine")
