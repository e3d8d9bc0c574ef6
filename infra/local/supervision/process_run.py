"""One run of a part, from the start of its process to its end."""

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.local.parts.part import Part
from infra.local.processes import logs, process
from infra.local.progress import say
from infra.local.stack_context import StackContext

_POLL_SECONDS = 0.1
_LOOK_SECONDS = 5.0
"""Seconds between checks that a ready part still serves."""


@dataclass(frozen=True)
class End:
    """The end of a run."""

    reason: str
    """A phrase that follows the part's name: "was killed by signal 9"."""
    served: float = 0.0
    """Seconds that it was ready."""
    done: bool = False
    """True for a task that ended with status 0."""


class ProcessRun:
    """One process of a part. Call `run` from the part's supervisor thread; `end` may be called from any other."""

    def __init__(
        self, part: Part, context: StackContext, log: Path, supplied: Callable[[], bool] = lambda: True
    ) -> None:
        """`supplied` returns whether everything that the part needs serves now."""
        self.part = part
        self._supplied = supplied
        self.context = context
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()
        self._late = threading.Event()
        self._relapsed = threading.Event()
        self._ready_at = 0.0
        self._doubt = "it does not answer"
        self._guard = threading.Lock()

    def run(self, started: Callable[[int], None], ready: Callable[[int, float], None]) -> End:
        """Start the process and return when it has ended.

        Calls `started` with the process id, and `ready` with the process id and the seconds it took.
        """
        begin = time.monotonic()
        self.part.prepare(self.context)
        logs.trim(self.log)
        logs.mark(self.log)
        with self._guard:
            if self._ending.is_set():
                return End("was not started")
            child = self._child = process.spawn(
                self.part.command(self.context),
                home=self.context.home,
                folder=self.context.home / self.part.name,
                environ=self.part.environ(self.context),
                log=self.log,
                death=self.part.death_signal,
            )
        try:
            started(child.pid)
            status = self._attend(child, begin, ready)
        except BaseException:  # a bug: the process must not go on unattended
            process.kill_group(child.pid)
            child.wait()
            raise
        served = time.monotonic() - self._ready_at if self._ready_at else 0.0
        if self.part.ready is None and status == 0:
            say(f"{self.part.name} done in {time.monotonic() - begin:.1f} s")
            return End("ended", done=True)
        return End(self._how(status), served)

    def end(self) -> None:
        """Ask the process to stop, and kill its group after its grace; return when it has ended or was never started."""
        self._ending.set()
        with self._guard:
            child = self._child
        if child is None or not process.send(child, self.part.stop_signal):
            return
        if not process.await_end(child, self.part.grace):
            say(f"{self.part.name} did not stop in {self.part.grace:.0f} s, killed")
            process.kill_group(child.pid)

    def _attend(self, child: subprocess.Popen[bytes], begin: float, ready: Callable[[int, float], None]) -> int:
        watcher = threading.Thread(
            target=self._watch, args=(child, begin, ready), name=f"watch-{self.part.name}", daemon=True
        )
        watcher.start()
        status = process.wait(child)
        watcher.join()
        return status

    def _watch(self, child: subprocess.Popen[bytes], begin: float, ready: Callable[[int, float], None]) -> None:
        """Wait until the part serves, and kill it when that takes longer than its patience; then watch that it continues serving."""
        while child.returncode is None and not self._ending.is_set():
            if self.part.ready is not None and self._serves(child.pid):
                self._ready_at = time.monotonic()
                ready(child.pid, self._ready_at - begin)
                self._stay(child)
                return
            if time.monotonic() - begin > self.part.patience:
                self._late.set()
                process.kill_group(child.pid)
                return
            time.sleep(_POLL_SECONDS)

    def _stay(self, child: subprocess.Popen[bytes]) -> None:
        """Stop a running part that has not served for long although everything it needs does; a new process may serve again."""
        if self.part.ready is None or self.part.relapse is None:
            return
        pause = min(_LOOK_SECONDS, self.part.relapse / 4)
        looked = well = time.monotonic()
        while child.returncode is None and not self._ending.wait(_POLL_SECONDS):
            if (now := time.monotonic()) - looked < pause:
                continue
            looked = now
            if self.part.ready(self.context) or not self._supplied():
                well = time.monotonic()
            elif now - well > self.part.relapse:
                self._relapsed.set()
                if not (process.send(child, self.part.stop_signal) and process.await_end(child, self.part.grace)):
                    process.kill_group(child.pid)
                return

    def _serves(self, pid: int) -> bool:
        assert self.part.ready is not None
        try:
            if not self.part.ready(self.context):
                return False
            if not process.listens(pid, [self.context.ports[name] for name in self.part.ports]):
                self._doubt = "somebody else answers at its port"
                return False
            self.part.settle(self.context)
        except Exception as error:  # noqa: BLE001  # not ready; checked again until the patience ends
            self._doubt = repr(error)
            return False
        return True

    def _how(self, status: int) -> str:
        if self._relapsed.is_set():
            return f"was not ready for {self.part.relapse:g} s, although all that it needs is"
        if self._late.is_set():
            return f"was not ready in {self.part.patience:.0f} s ({self._doubt})"
        return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
