"""A child process in its own group, with its log, that cannot outlive its launcher."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from infra.local.home.private import UMASK

MARKER = "MILLRACE_STACK"
"""Environment variable of every process of a stack: the absolute path of its home."""
_PASSED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_GUARD = Path(__file__).with_name("guard.py")
_POLL_SECONDS = 0.02


def bare() -> dict[str, str]:
    """Return the variables that third-party programs get: Java, Quarkus and PostgreSQL would read settings from others."""
    return {name: os.environ[name] for name in _PASSED if name in os.environ}


def spawn(
    command: Sequence[str],
    *,
    home: Path,
    folder: Path,
    environ: Mapping[str, str],
    log: Path,
    death: signal.Signals,
) -> subprocess.Popen[bytes]:
    """Start a command in `folder` with only this environment, appending its output to `log`.

    The calling thread must live as long as the process: the kernel sends the death signal when that thread ends.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            _guarded(command, death),
            cwd=folder,
            env={**environ, MARKER: str(home)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=UMASK,
        )


def wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process, kill the rest of its group, and return the status, negative for a signal."""
    if hasattr(os, "waitid"):  # on macOS only from Python 3.13 on
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # not reaped yet, so the group id is not reused
        kill_group(process.pid)
        return process.wait()
    status = process.wait()
    kill_group(process.pid)
    return status


def complete(command: Sequence[str], *, home: Path, folder: Path, environ: Mapping[str, str]) -> str | None:
    """Run a short third-party command with only this environment; return the end of its output if it failed, else None."""
    done = subprocess.run(
        _guarded(command, signal.SIGKILL),
        env={**environ, MARKER: str(home)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        umask=UMASK,
    )
    return (done.stderr or done.stdout).strip()[-500:] if done.returncode else None


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Send a signal to a process that another thread reaps; False if it has ended.

    `Popen.send_signal` would reap the process itself.
    """
    if process.returncode is not None:
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def listens(pid: int, ports: Sequence[int]) -> bool:
    """Return whether this process or its children listen on all these ports, rather than another program."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        sockets = [connection for member in family for connection in member.net_connections(kind="tcp")]
    except psutil.NoSuchProcess:
        return False
    return set(ports) <= {connection.laddr.port for connection in sockets if connection.status == psutil.CONN_LISTEN}


def kill_group(pid: int) -> None:
    """Kill a process and its group."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def leftovers(home: Path) -> list[psutil.Process]:
    """List the processes that belong to the stack of this home: they carry its marker, or work inside it as our PostgreSQL does."""
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    processes = []
    for process in psutil.process_iter():
        try:
            if process.pid not in mine and _belongs(process, home):
                processes.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError):
            continue  # it has ended, or belongs to another user
    return processes


def sweep(home: Path, patience: float = 3.0) -> list[str]:
    """End every left-over process of this home, wait until they have ended, and return their names."""
    processes = leftovers(home)
    names = [_name(process) for process in processes]
    for process in processes:
        _signal(process, signal.SIGINT if "postgres" in _name(process) else signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=patience)
    return names


def with_us(death: signal.Signals) -> list[str]:
    """Return the prefix of a command that is to get this signal when the thread that starts it ends for any reason."""
    return [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), str(int(death))]


def _guarded(command: Sequence[str], death: signal.Signals) -> list[str]:
    return [*with_us(death), *command]


def _belongs(process: psutil.Process, home: Path) -> bool:
    if process.environ().get(MARKER) == str(home):
        return True
    # PostgreSQL overwrites its environment with its title, but its working folder is its data folder.
    return process.name() == "postgres" and Path(process.cwd()).is_relative_to(home)


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return "?"


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        pass


def await_end(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Return whether a process, which another thread reaps, ended within this many seconds."""
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(process.pid) and process.returncode is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
