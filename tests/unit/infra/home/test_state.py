"""The lock of a home, and what a stack says about itself."""

import json
import multiprocessing
from pathlib import Path

import pytest

from infra.local.errors import AlreadyRunning, BadHome, NotRunning
from infra.local.home import state
from infra.local.home.state import PartState, StackState, State
from infra.local.running import RunningStack
from infra.local.stack import Stack
from infra.local.view import as_json, as_table
from streams.settings import Settings

SETTINGS = {
    "kafka": "127.0.0.1:1",
    "registry": "http://millrace:secret-2@127.0.0.1:2/apis/ccompat/v7",
    "s3": "http://127.0.0.1:3",
    "s3_bucket": "millrace",
    "postgres": "postgresql://millrace:secret-4@127.0.0.1:4/millrace",
    "http_host": "127.0.0.1",
    "http_port": 8123,
}
SHOWN = StackState(
    pid=7,
    settings=SETTINGS,
    parts={
        "kafka": PartState(State.READY, pid=8, port=1, restarts=2, reason="was killed by signal 9"),
        "gateway": PartState(State.STARTING, pid=9, port=8123),
    },
)


def hold(home: Path, ready: "multiprocessing.synchronize.Event", over: "multiprocessing.synchronize.Event") -> None:
    """Own a home, as a launcher does."""
    with state.locked(home):
        ready.set()
        over.wait(30)


def test_a_written_state_is_read_back(tmp_path: Path) -> None:
    """`stack.json` keeps everything, and is for its owner only."""
    state.write(tmp_path, SHOWN)
    assert state.read(tmp_path) == SHOWN
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{}", '{"pid": 1, "settings": {}, "parts": {"a": {"state": "odd"}}}'])
def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    """A spoilt file says nothing, rather than something wrong."""
    (tmp_path / "stack.json").write_text(text)
    assert state.read(tmp_path) is None


def test_settings_come_from_the_state(tmp_path: Path) -> None:
    """Millrace's own settings follow what the stack wrote, unless the environment says otherwise."""
    state.write(tmp_path, SHOWN)
    assert Settings.read({"MILLRACE_HOME": str(tmp_path)}).http_port == 8123
    assert Settings.read({"MILLRACE_HOME": str(tmp_path), "MILLRACE_HTTP_PORT": "9"}).http_port == 9


def test_a_home_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    """A file in the place of the home is told as such, to who looks and to who would start."""
    (tmp_path / "home").write_text("")
    with pytest.raises(BadHome, match="home cannot be used: Not a directory"):
        state.owner(tmp_path / "home")
    with pytest.raises(BadHome, match="home cannot be used: File exists"):
        Stack(tmp_path / "home").start()


def test_a_stack_is_ready_without_its_optional_parts(tmp_path: Path) -> None:
    """A stack is ready while a part that nobody waits for is not, and that one is shown as it is."""
    parts = {"a": PartState(State.READY), "later": PartState(State.STARTING, aside=True)}
    state.write(tmp_path, StackState(7, SETTINGS, parts))
    found = state.read(tmp_path)
    assert found is not None
    assert found.ready
    assert "later          starting" in as_table(found, tmp_path)


def test_a_home_has_one_owner_at_a_time(tmp_path: Path) -> None:
    """The lock names its owner to others, refuses a second one, and is free when the owner was killed."""
    context = multiprocessing.get_context("spawn")
    ready, over = context.Event(), context.Event()
    owner = context.Process(target=hold, args=(tmp_path, ready, over))
    owner.start()
    try:
        assert ready.wait(30)
        assert state.owner(tmp_path) == owner.pid
        with pytest.raises(AlreadyRunning, match=f"pid {owner.pid}"), state.locked(tmp_path):
            pass
    finally:
        owner.kill()
        owner.join()
    assert state.owner(tmp_path) is None
    with state.locked(tmp_path):
        pass


def test_no_stack_is_said_plainly(tmp_path: Path) -> None:
    """Without a launcher, an old state file does not count."""
    state.write(tmp_path, SHOWN)
    with pytest.raises(NotRunning, match="millrace up"):
        _ = RunningStack(tmp_path).state


def test_the_table_shows_every_part_and_the_address() -> None:
    """People see state, process, port, restarts, why it last ended, and how to open each part; no password."""
    text = as_table(SHOWN, Path("a home"))
    assert "secret" not in text
    lines = text.splitlines()
    assert lines[1].split() == ["kafka", "ready", "8", "1", "2", "was", "killed", "by", "signal", "9"]
    assert lines[2].split() == ["gateway", "starting", "9", "8123", "0"]
    assert lines[3:6] == ["", "kafka at 127.0.0.1:1", "  kcat -F 'a home/clients'/kcat.conf -L"]
    assert lines[7] == "gateway at http://127.0.0.1:8123"
    assert len(lines) == 9


def test_json_has_one_object_a_part() -> None:
    """Programs read a line a part."""
    lines = [json.loads(line) for line in as_json(SHOWN).splitlines()]
    assert [line["part"] for line in lines] == ["kafka", "gateway"]
    assert lines[0] == {
        "part": "kafka",
        "state": "ready",
        "pid": 8,
        "port": 1,
        "restarts": 2,
        "reason": "was killed by signal 9",
        "aside": False,
    }
