"""Keep one part running: start it, wait until it is ready, restart it when it dies, stop it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from infra.local.errors import LocalError, MissingTool, StartError
from infra.local.home.state import PartState, State
from infra.local.parts.part import Part
from infra.local.processes import logs
from infra.local.progress import say
from infra.local.stack_context import StackContext
from infra.local.supervision.process_run import End, ProcessRun

_FIRST_STARTS = 3
"""Failed starts after which a part that was never ready is given up."""
_BACKOFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
_HEALTHY_SECONDS = 60.0
"""Seconds in service after which a failure counts as the first one again."""
_POLL_SECONDS = 0.05


class Supervisor(threading.Thread):
    """A thread that runs as long as its part, because the kernel's parent-death signal follows the thread that started a process."""

    def __init__(
        self, part: Part, context: StackContext, needs: Sequence["Supervisor"], changed: Callable[[], None]
    ) -> None:
        super().__init__(name=f"supervisor-{part.name}", daemon=True)
        self.part = part
        self.context = context
        self.log = logs.path(context.home, part.name)
        self.shown = PartState(State.WAITING, aside=part.aside)
        self.error: LocalError | None = None
        """Why the part was given up at its first start; None if it was not."""
        self.settled = threading.Event()
        """Set when the part is ready for the first time, or is given up."""
        self._needs = needs
        self._changed = changed
        self._ending = threading.Event()
        self._failures = 0
        self._run: ProcessRun | None = None
        self._guard = threading.Lock()

    def run(self) -> None:
        """Start and restart the part until `end` is called."""
        try:
            if self._await_needs():
                self._supervise()
        except LocalError as error:
            self.error = error
            say(f"{self.part.name} is given up")
            self._show(State.FAILED, reason=str(error))
        finally:
            self.settled.set()

    def end(self) -> None:
        """Stop the part, by force after its grace; return when it has ended."""
        self._ending.set()
        with self._guard:
            run = self._run
        if run is not None:
            run.end()
        if self.is_alive():
            self.join()

    def _supplied(self) -> bool:
        """Return whether everything that it needs serves now, directly or indirectly."""
        return all(needed.serves() and needed._supplied() for needed in self._needs)

    def serves(self) -> bool:
        """Return whether its part serves now; a task that ended with status 0 always does."""
        if self.part.ready is None:
            return self.shown.state is State.DONE
        return self.shown.state is State.READY and self.part.ready(self.context)

    def _await_needs(self) -> bool:
        for needed in self._needs:
            while not needed.settled.wait(_POLL_SECONDS):
                if self._ending.is_set():
                    return False
            if needed.error is not None:
                return False
        return not self._ending.is_set()

    def _supervise(self) -> None:
        while not self._ending.is_set():
            end = self._once()
            if end.done:
                self._show(State.DONE)
                return
            if not self._ending.is_set():
                self._ending.wait(self._after(end))
        self._show(State.STOPPED)

    def _once(self) -> End:
        run = ProcessRun(self.part, self.context, self.log, self._supplied)
        with self._guard:
            if self._ending.is_set():
                return End("was not started")
            self._run = run
        try:
            self._show(State.STARTING)
            return run.run(started=self._on_start, ready=self._on_ready)
        except MissingTool:
            raise
        except Exception as error:  # noqa: BLE001  # any failure to start is reported and retried, as a death is
            return End(f"could not start: {error}" if isinstance(error, LocalError) else f"could not start: {error!r}")

    def _on_start(self, pid: int) -> None:
        self._show(State.STARTING, pid=pid)

    def _on_ready(self, pid: int, seconds: float) -> None:
        self._show(State.READY, pid=pid)
        port = f", port {self.shown.port}" if self.shown.port else ""
        say(f"{self.part.name} up in {seconds:.1f} s{port}")
        self.settled.set()

    def _after(self, end: End) -> float:
        """Report a failure and return the seconds to wait before the next start. Raises StartError to give a part up."""
        first = not self.settled.is_set()
        self._failures = 1 if end.served > _HEALTHY_SECONDS else self._failures + 1
        if first and (self.part.ready is None or self._failures >= _FIRST_STARTS):
            raise StartError(f"{self.part.name} {end.reason}. The end of {self.log}:\n{logs.tail(self.log)}")
        restarts = self.shown.restarts if first else self.shown.restarts + 1
        self._show(State.RESTARTING, reason=end.reason, restarts=restarts)
        if first and self._left_ports():
            return 0.0
        pause = _BACKOFF_SECONDS[min(self._failures, len(_BACKOFF_SECONDS)) - 1]
        say(f"{self.part.name} {end.reason}; starting it again in {pause:g} s (log: {self.log})")
        return pause

    def _left_ports(self) -> bool:
        """Choose other ports for those that another program took; only before the first ready state. Return whether any changed."""
        left = [self.context.ports.renew(name) for name in self.part.ports]
        return any(left)

    def _show(
        self, state: State, *, pid: int | None = None, reason: str | None = None, restarts: int | None = None
    ) -> None:
        self.shown = replace(
            self.shown,
            state=state,
            pid=pid,
            port=self.context.ports[self.part.ports[0]] if self.part.ports else None,
            reason=self.shown.reason if reason is None else reason,
            restarts=self.shown.restarts if restarts is None else restarts,
        )
        self._changed()
