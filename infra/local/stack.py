"""The embedded stack: its parts started in the order of their needs, kept alive, stopped in reverse."""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local.errors import BadHome
from infra.local.home import clients, state
from infra.local.home.ports import PREFERRED, Ports
from infra.local.home.secrets import api_key
from infra.local.home.state import StackState, locked, visible
from infra.local.installation.install import install
from infra.local.parts import table as parts
from infra.local.parts.part import Part
from infra.local.processes import logs, process
from infra.local.progress import say
from infra.local.running import RunningStack
from infra.local.stack_context import StackContext
from infra.local.supervision.supervisor import Supervisor
from streams.settings import Settings

_HOUSEKEEPING_SECONDS = 5.0
_POLL_SECONDS = 0.05


class Stack(RunningStack):
    """A stack that this process runs.

    `names` selects parts of `table` and what they need; None means all. Without `preferred` ports, any free ones are used,
    so that stacks of tests do not take well-known ports. The JVMs write their class caches into `training`.
    """

    def __init__(
        self,
        home: Path,
        names: Sequence[str] | None = None,
        *,
        table: Sequence[Part] | None = None,
        preferred: bool = True,
        training: Path | None = None,
    ) -> None:
        super().__init__(home)
        self._chosen = parts.select(parts.table() if table is None else table, names)
        self._preferred = PREFERRED if preferred else {}
        self._training = training
        self._supervisors: dict[str, Supervisor] = {}
        self._open = ExitStack()
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._context: StackContext | None = None

    def start(self) -> None:
        """Start every part and return when all are ready.

        Raises AlreadyRunning, BadHome, MissingTool, InstallError or StartError, after stopping everything.
        """
        try:
            self._open.enter_context(locked(self.home))
            self._start()
        except OSError as error:  # errors of the parts are in their supervisors
            self.stop()
            raise BadHome(self.home, error) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every part, dependents first, and return when all processes have ended. Does nothing if nothing runs."""
        self._over.set()
        self._write()
        left = dict(self._supervisors)
        while left:
            needed = {name for supervisor in left.values() for name in supervisor.part.needs}
            last = [left.pop(name) for name in list(left) if name not in needed]
            enders = [threading.Thread(target=supervisor.end) for supervisor in last]
            for ender in enders:
                ender.start()
            for ender in enders:
                ender.join()
        self._supervisors.clear()
        if self._context is not None:
            process.sweep(self.home)
            state.remove(self.home)
            self._context = None
        self._open.close()

    @property
    def context(self) -> StackContext:
        """The context of its parts, for starting others beside them. Only between `start` and `stop`."""
        assert self._context is not None, "there is a context between start() and stop()"
        return self._context

    def add(self, part: Part) -> None:
        """Start one more part without waiting for it; it stops with the others."""
        assert self._context is not None, "add() belongs between start() and stop()"
        supervisor = self._supervisors[part.name] = Supervisor(part, self._context, [], self._write)
        supervisor.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        self._over.clear()
        if swept := process.sweep(self.home):
            say(f"ended {len(swept)} processes that an earlier stack left behind: {', '.join(sorted(set(swept)))}")
        state.remove(self.home)
        base = Settings.read({**os.environ, "MILLRACE_HOME": str(self.home)})
        ports = self._open.enter_context(Ports(self.home / "ports.json", self._preferred))
        if "MILLRACE_HTTP_PORT" in os.environ:
            ports.ask("gateway", base.http_port)
        context = self._context = StackContext(self.home, install(), ports, base, self._training)
        api_key(self.home)
        clients.write(self.home, context.settings())
        for part in self._chosen:
            needs = [self._supervisors[name] for name in part.needs]
            self._supervisors[part.name] = Supervisor(part, context, needs, self._write)
        self._write()
        for supervisor in self._supervisors.values():
            supervisor.start()
        for supervisor in self._supervisors.values():
            self._await(supervisor)
        threading.Thread(target=self._keep_house, name="stack-housekeeping", daemon=True).start()

    def _await(self, supervisor: Supervisor) -> None:
        while not supervisor.settled.wait(_POLL_SECONDS):
            self._raise_first_error()
        self._raise_first_error()

    def _raise_first_error(self) -> None:
        for supervisor in self._supervisors.values():
            if supervisor.error is not None:
                raise supervisor.error

    def _write(self) -> None:
        with self._writing:
            if self._context is None:
                return
            shown = {name: supervisor.shown for name, supervisor in self._supervisors.items()}
            current = StackState(os.getpid(), visible(self._context.settings()), shown, self._over.is_set())
            try:
                state.write(self.home, current)
            except OSError as error:  # such as a full disk: the parts go on
                say(f"the state cannot be written: {error}")

    def _keep_house(self) -> None:
        while not self._over.wait(_HOUSEKEEPING_SECONDS):
            for supervisor in list(self._supervisors.values()):
                logs.trim(supervisor.log)
