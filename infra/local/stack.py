"""The embedded stack: its parts started in the order of their needs, kept alive, stopped in reverse."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local import parts, process, state
from infra.local.errors import LocalError, NotRunning, StartError
from infra.local.install import install
from infra.local.keeper import Keeper
from infra.local.part import Part, State
from infra.local.ports import PREFERRED, Ports
from infra.local.progress import say
from infra.local.secrets import api_key
from infra.local.site import Site
from infra.local.state import PartState, StackState, locked, visible
from streams.settings import Settings

_HOUSEKEEPING_SECONDS = 5.0
_POLL_SECONDS = 0.05


class RunningStack:
    """A stack seen from anywhere on this machine, through what it wrote into its home."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()

    @property
    def state(self) -> StackState:
        """What the stack says about itself now. Raises NotRunning."""
        found = state.read(self.home) if state.owner(self.home) is not None else None
        if found is None:
            raise NotRunning(f"no stack runs in {self.home}: start one with `millrace up` or `make run`")
        return found

    @property
    def settings(self) -> Settings:
        """The settings a client of this stack works with."""
        return Settings.read({**os.environ, "MILLRACE_HOME": str(self.home)})

    def part(self, name: str) -> PartState:
        """One part as it is now. Raises NotRunning when the stack or this part does not run."""
        try:
            return self.state.parts[name]
        except KeyError:
            raise NotRunning(
                f"the stack in {self.home} has no part {name!r}; it has {', '.join(self.state.parts)}"
            ) from None

    def restart(self, name: str, *, kill: bool = False, seconds: float = 60.0) -> None:
        """End a part (with `kill`, by SIGKILL) and wait until the supervisor has it ready again.

        Raises NotRunning, or StartError when it is not back within so many seconds.
        """
        before = self.part(name)
        if before.pid is None:
            raise NotRunning(f"{name} does not run now ({before.state}); wait until it is ready")
        if kill:
            process.kill_group(before.pid)
        else:
            os.kill(before.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while (now := self.part(name)).restarts <= before.restarts or now.state is not State.READY:
            if time.monotonic() > deadline:
                raise StartError(f"{name} is not back {seconds:.0f} s after its end ({now.state}, {now.reason})")
            time.sleep(_POLL_SECONDS)


class Stack(RunningStack):
    """A stack that this process runs.

    `names` selects parts (with what they need); None means all. `table` is the parts to choose from. Without
    `preferred` ports, any free ones are taken, so that stacks of tests do not stand in anybody's way.
    """

    def __init__(
        self,
        home: Path,
        names: Sequence[str] | None = None,
        *,
        table: Sequence[Part] = parts.TABLE,
        preferred: bool = True,
    ) -> None:
        super().__init__(home)
        self._chosen = parts.select(table, names)
        self._preferred = preferred
        self._keepers: dict[str, Keeper] = {}
        self._open = ExitStack()
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._site: Site | None = None

    def start(self) -> None:
        """Start every part and return when all are ready.

        Raises AlreadyRunning, MissingTool, InstallError, or StartError; nothing is left running then.
        """
        self._open.enter_context(locked(self.home))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every part, dependents first; returns when all processes are gone. Harmless when nothing runs."""
        self._over.set()
        left = dict(self._keepers)
        while left:
            needed = {name for keeper in left.values() for name in keeper.part.needs}
            last = [left.pop(name) for name in list(left) if name not in needed]
            enders = [threading.Thread(target=keeper.end) for keeper in last]
            for ender in enders:
                ender.start()
            for ender in enders:
                ender.join()
        self._keepers.clear()
        if self._site is not None:
            process.sweep(self.home)
            state.remove(self.home)
            self._site = None
        self._open.close()

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
        base = Settings.read({key: value for key, value in os.environ.items() if key != "MILLRACE_HOME"})
        ports = Ports(self.home / "ports.json", PREFERRED if self._preferred else {})
        site = self._site = Site(self.home, install(), ports, base)
        api_key(self.home)
        site.settings()
        for part in self._chosen:
            needs = [self._keepers[name] for name in part.needs]
            self._keepers[part.name] = Keeper(part, site, needs, self._write)
        self._write()
        for keeper in self._keepers.values():
            keeper.start()
        for keeper in self._keepers.values():
            self._await(keeper)
        threading.Thread(target=self._keep_house, name="stack-housekeeping", daemon=True).start()

    def _await(self, keeper: Keeper) -> None:
        while not keeper.settled.wait(_POLL_SECONDS):
            self._raise_first_error()
        self._raise_first_error()

    def _raise_first_error(self) -> None:
        for keeper in self._keepers.values():
            if keeper.error is not None:
                raise keeper.error

    def _write(self) -> None:
        with self._writing:
            if self._site is None:
                return
            shown = {name: keeper.shown for name, keeper in self._keepers.items()}
            state.write(self.home, StackState(os.getpid(), visible(self._site.settings()), shown))

    def _keep_house(self) -> None:
        while not self._over.wait(_HOUSEKEEPING_SECONDS):
            for keeper in list(self._keepers.values()):
                keeper.trim_log()


__all__ = ["LocalError", "RunningStack", "Stack"]
