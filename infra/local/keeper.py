"""Keeps one part alive: starts it, sees that it is ready, starts it again when it dies, ends it."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from infra.local import logs, process
from infra.local.errors import LocalError, StartError
from infra.local.part import Part, State
from infra.local.progress import say
from infra.local.site import Site
from infra.local.state import PartState

_FIRST_STARTS = 3
"""Starts that may fail before a part that never was ready is given up."""
_BACKOFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
_HEALTHY_SECONDS = 60.0
"""After so long in service, a death counts as the first one again."""
_POLL_SECONDS = 0.05


class Keeper(threading.Thread):
    """A thread that lives as long as its part, as the kernel's parent-death signal demands."""

    def __init__(self, part: Part, site: Site, needs: Sequence["Keeper"], changed: Callable[[], None]) -> None:
        super().__init__(name=f"keeper-{part.name}", daemon=True)
        self.part = part
        self.site = site
        self.shown = PartState(State.WAITING)
        self.error: LocalError | None = None
        """Why the part was given up at its first start."""
        self.settled = threading.Event()
        """Set when the part is ready for the first time, or given up."""
        self._needs = needs
        self._changed = changed
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._spawning = threading.Lock()
        self._log = logs.path(site.home, part.name)

    def run(self) -> None:
        """Live through starts, deaths and restarts until `end` is called."""
        try:
            if self._await_needs():
                self._live()
        except LocalError as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001  # a defect here must reach the user, not die with the thread
            self._give_up(StartError(f"{self.part.name}: {type(error).__name__}: {error}"))
        finally:
            self.settled.set()

    def end(self, pause: float | None = None) -> None:
        """Stop the part in its own way, then by force after its grace; returns when it is gone."""
        self._ending.set()
        with self._spawning:
            child = self._process
        if child is not None and child.returncode is None:
            try:
                child.send_signal(self.part.stop_signal)
            except ProcessLookupError:
                pass
            if not process.await_end(child, self.part.grace):
                say(f"{self.part.name} did not stop in {self.part.grace:.0f} s, killed")
                process.kill_group(child.pid)
        if self.is_alive():
            self.join()

    def trim_log(self) -> None:
        """Cut the log when it has grown too large."""
        logs.trim(self._log)

    def _await_needs(self) -> bool:
        for needed in self._needs:
            while not needed.settled.wait(_POLL_SECONDS):
                if self._ending.is_set():
                    return False
            if needed.error is not None:
                return False
        return not self._ending.is_set()

    def _live(self) -> None:
        failures = 0
        while not self._ending.is_set():
            started = time.monotonic()
            was_ready, reason = self._once(started)
            if self.part.ready is None and reason is None:
                self._show(State.DONE, pid=None)
                return
            if self._ending.is_set():
                break
            moved = self._move_ports()
            if not was_ready and not self.settled.is_set():
                failures += 1
                if self.part.ready is None or failures >= _FIRST_STARTS:
                    raise StartError(f"{self.part.name} {reason}. The end of {self._log}:\n{logs.tail(self._log)}")
                self._show(State.RESTARTING, pid=None, reason=reason)
                if moved:
                    continue
            else:
                failures = 0 if was_ready and time.monotonic() - started > _HEALTHY_SECONDS else failures + 1
                self._show(State.RESTARTING, pid=None, reason=reason, restarts=self.shown.restarts + 1)
            pause = _BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS)) - 1] if failures else _BACKOFF_SECONDS[0]
            say(f"{self.part.name} {reason}; starting it again in {pause:g} s (log: {self._log})")
            self._ending.wait(pause)
        self._show(State.STOPPED, pid=None)

    def _once(self, started: float) -> tuple[bool, str | None]:
        """One life of the part: whether it was ready, and why it ended (None: a task that did its work)."""
        self.part.prepare(self.site)
        logs.trim(self._log)
        with self._spawning:
            if self._ending.is_set():
                return False, "was not started"
            child = self._process = process.spawn(
                self.part.command(self.site),
                self.site.home,
                self.site.home / self.part.name,
                self.part.environ(self.site),
                self._log,
                self.part.death_signal,
            )
        self._show(State.STARTING, pid=child.pid)
        if self.part.ready is None:
            return self._task(child, started)
        late = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(child, started, late), name=f"watch-{self.part.name}", daemon=True
        )
        watcher.start()
        status = process.wait(child)
        watcher.join()
        was_ready = self.shown.state is State.READY
        return was_ready, f"was not ready in {self.part.patience:.0f} s" if late.is_set() else _how(status)

    def _task(self, child: subprocess.Popen[bytes], started: float) -> tuple[bool, str | None]:
        status = process.wait(child)
        if status != 0:
            return False, _how(status)
        say(f"{self.part.name} done in {time.monotonic() - started:.1f} s")
        return True, None

    def _watch(self, child: subprocess.Popen[bytes], started: float, late: threading.Event) -> None:
        assert self.part.ready is not None
        while child.returncode is None and not self._ending.is_set():
            if self.part.ready(self.site):
                self.part.settle(self.site)
                self._show(State.READY)
                port = f", port {self.shown.port}" if self.shown.port else ""
                say(f"{self.part.name} up in {time.monotonic() - started:.1f} s{port}")
                self.settled.set()
                return
            if time.monotonic() - started > self.part.patience:
                late.set()
                process.kill_group(child.pid)
                return
            time.sleep(_POLL_SECONDS)

    def _move_ports(self) -> bool:
        """Leave ports that somebody else took before the part was ever reached there; whether one was left."""
        if self.settled.is_set():
            return False
        moved = [self.site.ports.renew(name) for name in self.part.ports]
        return any(moved)

    def _give_up(self, error: LocalError) -> None:
        self.error = error
        self._show(State.FAILED, pid=None, reason=str(error))

    def _show(self, state: State, **changes: object) -> None:
        port = self.site.ports[self.part.ports[0]] if self.part.ports else None
        self.shown = replace(self.shown, state=state, port=port, **changes)  # type: ignore[arg-type]  # fields of PartState
        self._changed()


def _how(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
