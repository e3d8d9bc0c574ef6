"""The supervisor, with parts that are one line of Python each."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from infra.local.errors import AlreadyRunning, StartError, UnknownPart
from infra.local.home.state import State
from infra.local.parts.part import Part
from infra.local.processes.process import leftovers
from infra.local.stack import Stack
from infra.local.stack_context import StackContext
from tests.integration.support.eventually import eventually

SERVE = """
import pathlib, signal, time
pathlib.Path("serves").touch()
signal.pause()
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + SERVE
MOTHER = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])" + SERVE


def part(name: str, code: str = SERVE, *needs: str) -> Part:
    """A part that runs Python code in its folder, and is ready when it has made the file `serves` there."""

    def prepare(context: StackContext) -> None:
        (context.home / name / "serves").unlink(missing_ok=True)

    return Part(
        name=name,
        needs=needs,
        prepare=prepare,
        command=lambda _: [sys.executable, "-c", code],
        ready=lambda context: (context.home / name / "serves").exists(),
        grace=5.0,
    )


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks in one home; the last one is stopped at the end, and then no process may be left."""
    made: list[Stack] = []

    def make(*table: Part, names: Sequence[str] | None = None) -> Stack:
        made.append(Stack(tmp_path, names, table=table, preferred=False))
        return made[-1]

    yield make
    for each in made:
        each.stop()
    assert leftovers(tmp_path) == []


def test_parts_start_after_what_they_need_and_stop_before_it(stack: Callable[..., Stack], tmp_path: Path) -> None:
    """A part sees what it needs ready at its start and still there at its end."""
    witness = f"""
import pathlib, signal
base = pathlib.Path({str(tmp_path)!r})
assert (base / "first" / "serves").exists()
def end(*_):
    (base / "seen").write_text(str((base / "first" / "stopped").exists()))
    raise SystemExit
signal.signal(signal.SIGTERM, end)
{SERVE}"""
    first = f"""
import pathlib, signal
def end(*_):
    pathlib.Path("stopped").touch()
    raise SystemExit
signal.signal(signal.SIGTERM, end)
{SERVE}"""
    running = stack(part("first", first), part("second", witness, "first"))
    running.start()
    running.stop()
    assert (tmp_path / "seen").read_text() == "False"
    assert (tmp_path / "first" / "stopped").exists()


def test_only_the_chosen_parts_and_their_needs_start(stack: Callable[..., Stack]) -> None:
    """`names` selects, needs included; an unknown name is refused with the list of names."""
    table = (part("a"), part("b", SERVE, "a"), part("c"))
    running = stack(*table, names=["b"])
    running.start()
    assert list(running.state.parts) == ["a", "b"]
    with pytest.raises(UnknownPart, match="the parts are a, b, c"):
        stack(*table, names=["d"])


def test_a_part_that_dies_is_started_again_each_time(
    stack: Callable[..., Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every death is counted, told with its cause, and followed by a new process."""
    running = stack(part("a"))
    running.start()
    pids = [running.part("a").pid]
    for count in (1, 2):
        running.restart("a", kill=True, seconds=20)
        assert running.part("a").restarts == count
        pids.append(running.part("a").pid)
    assert len(set(pids)) == 3
    assert "a was killed by signal 9; starting it again" in capsys.readouterr().err


def test_a_part_that_stops_serving_is_restarted_while_what_it_needs_serves(
    stack: Callable[..., Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    """It lives and does not serve: as long as that may be for want of what it needs nothing happens, and then a fresh one comes."""
    looks: list[bool] = []

    def serves(context: StackContext) -> bool:
        looks.append((context.home / "a" / "serves").exists())
        return looks[-1]

    running = stack(replace(part("a"), ready=serves), replace(part("b", SERVE, "a"), relapse=0.4))
    running.start()
    first = running.part("b").pid
    (running.home / "a" / "serves").unlink()
    (running.home / "b" / "serves").unlink()
    eventually(lambda: looks.count(False) > 12, 20)
    assert (running.part("b").pid, running.part("b").restarts) == (first, 0)
    (running.home / "a" / "serves").touch()
    eventually(lambda: running.part("b").restarts == 1 and running.part("b").state is State.READY, 20)
    assert running.part("b").pid != first
    assert "b was not ready for 0.4 s, although all that it needs is; starting it again" in capsys.readouterr().err


def test_pauses_between_restarts_grow(stack: Callable[..., Stack], capsys: pytest.CaptureFixture[str]) -> None:
    """A part that dies again and again is started ever more seldom."""
    once = "import pathlib, sys\nif pathlib.Path('../told').exists(): sys.exit(3)\n" + SERVE
    running = stack(part("a", once))
    running.start()
    (running.home / "told").touch()
    os.kill(running.part("a").pid or 0, signal.SIGKILL)
    said: list[str] = []

    def heard() -> bool:
        said.append(capsys.readouterr().err)
        return all(f"again in {pause} s" in "".join(said) for pause in ("0.2", "1", "2"))

    eventually(heard, 20)
    assert running.part("a").reason == "ended with status 3"


def test_a_part_that_cannot_start_is_reported_with_its_log(stack: Callable[..., Stack]) -> None:
    """A start that fails names the part, the status and the end of its log, and stops the other parts."""
    running = stack(part("fine"), part("broken", "raise SystemExit('no such thing as luck')"))
    with pytest.raises(StartError, match=r"(?s)broken ended with status 1.*no such thing as luck"):
        running.start()
    assert leftovers(running.home) == []


def test_a_part_that_never_serves_is_given_up(stack: Callable[..., Stack]) -> None:
    """A process that lives but never becomes ready is killed when its patience ends."""
    mute = replace(part("mute", "import signal; signal.pause()"), patience=0.3)
    with pytest.raises(StartError, match=r"mute was not ready in 0 s"):
        stack(mute).start()


def test_a_command_that_does_not_exist_is_named(stack: Callable[..., Stack]) -> None:
    """A missing program is told by its name."""
    absent = replace(part("absent"), command=lambda _: ["no-such-program-here"])
    with pytest.raises(StartError, match="no-such-program-here: No such file"):
        stack(absent).start()


def test_a_preparation_that_fails_stops_the_start(stack: Callable[..., Stack]) -> None:
    """What goes wrong before the process starts is told like a failing start."""

    def fail(_: StackContext) -> None:
        raise OSError("the disk is full")

    with pytest.raises(StartError, match="the disk is full"):
        stack(replace(part("a"), prepare=fail)).start()


def test_a_task_runs_to_its_end_before_what_needs_it(stack: Callable[..., Stack]) -> None:
    """A task is done when it ends with status 0, once; what needs it starts then."""
    task = replace(part("task", "open('ran', 'a').write('x')"), ready=None)
    needs = "assert open('../task/ran').read() == 'x'\n" + SERVE
    running = stack(task, part("after", needs, "task"))
    running.start()
    assert running.part("task").state is State.DONE
    assert running.state.ready


def test_a_failing_task_fails_the_start(stack: Callable[..., Stack]) -> None:
    """A task that ends with another status is not tried again."""
    task = replace(part("task", "print('topics refused'); raise SystemExit(2)"), ready=None)
    with pytest.raises(StartError, match=r"(?s)task ended with status 2.*topics refused"):
        stack(task, part("after", SERVE, "task")).start()


def test_a_deaf_part_is_killed_after_its_grace(stack: Callable[..., Stack]) -> None:
    """A part that ignores the request to stop does not keep the stack from stopping."""
    running = stack(replace(part("deaf", DEAF), grace=0.3))
    running.start()
    running.stop()
    assert leftovers(running.home) == []


def test_children_of_a_part_go_with_it(stack: Callable[..., Stack]) -> None:
    """What a part started dies when the part dies, before the part is started again."""
    running = stack(part("mother", MOTHER))
    running.start()
    pid = running.part("mother").pid or 0
    children = psutil.Process(pid).children()
    assert len(children) == 1
    os.kill(pid, signal.SIGKILL)  # the mother alone, as the kernel's memory killer does
    eventually(lambda: running.part("mother").restarts == 1 and running.part("mother").state is State.READY, 20)
    assert not runs(children[0])


def runs(process: psutil.Process) -> bool:
    """Whether a process still does anything; a dead one that nobody has reaped does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_nothing_outlives_a_killed_launcher(tmp_path: Path) -> None:
    """After kill -9 of the launching process the kernel ends the parts, without any help of ours."""
    code = f"""
import signal
from tests.integration.stack.test_supervisor import part
from infra.local.stack import Stack
from pathlib import Path
Stack(Path({str(tmp_path)!r}), table=[part("a"), part("b")], preferred=False).start()
print("up", flush=True)
signal.pause()
"""
    launcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "up\n"
        assert len(leftovers(tmp_path)) == 2
    finally:
        launcher.kill()
        launcher.communicate()
    eventually(lambda: leftovers(tmp_path) == [], 10)


def test_one_stack_a_home(stack: Callable[..., Stack]) -> None:
    """A second stack in the same home is refused while one runs, and welcome afterwards."""
    running, second = stack(part("a")), stack(part("a"))
    running.start()
    with pytest.raises(AlreadyRunning, match=str(running.home)):
        second.start()
    assert running.state.ready
    running.stop()
    second.start()
    assert second.state.ready


def test_a_port_taken_before_the_first_start_is_left(stack: Callable[..., Stack]) -> None:
    """A part whose port somebody takes between choice and start is given another one."""
    thieves: list[socket.socket] = []

    def steal(context: StackContext) -> None:
        if not thieves:
            thief = socket.create_server(("127.0.0.1", context.ports["server"]))
            thieves.append(thief)

    def command(context: StackContext) -> list[str]:
        code = f"import socket; s = socket.create_server(('127.0.0.1', {context.ports['server']}))\n{SERVE}"
        return [sys.executable, "-c", code]

    running = stack(replace(part("server"), ports=("server",), prepare=steal, command=command))
    running.start()
    with closing(thieves[0]) as thief:
        port = running.part("server").port
        assert port != thief.getsockname()[1]
        assert running.part("server").restarts == 0
        socket.create_connection(("127.0.0.1", port or 0), 5).close()


def test_an_added_part_is_kept_and_stopped_too(stack: Callable[..., Stack]) -> None:
    """A part that joins later is supervised like the others, and nothing waits for it."""
    running = stack(part("a"))
    running.start()
    running.add(part("late"))
    eventually(lambda: running.part("late").state is State.READY, 10)
    running.stop()
    assert leftovers(running.home) == []


def test_a_stack_that_outlives_its_terminal() -> None:
    """Where the end of the terminal is ignored, as under nohup, it stays so; a request to stop is heard all the same."""
    code = """
import os, signal
from infra.local.up import _interruptible
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with _interruptible():
    os.kill(os.getpid(), signal.SIGHUP)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        print("asked to stop")
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "asked to stop\n"


def test_an_answer_from_somebody_else_is_not_readiness(stack: Callable[..., Stack]) -> None:
    """A part is ready when it listens on its port itself: who answers there may be another program."""
    impostor = replace(part("impostor"), ports=("server",), patience=0.5)
    with pytest.raises(StartError, match="somebody else answers at its port"):
        stack(impostor).start()
