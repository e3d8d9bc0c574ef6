"""A running stack, seen from another process."""

import os
import signal
import time
from pathlib import Path

from infra.local.errors import NotRunning, StartError
from infra.local.home import state
from infra.local.home.state import ADDRESSES, PartState, StackState, State
from infra.local.processes import process
from streams.settings import Settings

_POLL_SECONDS = 0.05


class RunningStack:
    """A running stack, through what it wrote into its home."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()

    @property
    def state(self) -> StackState:
        """The current state of the stack. Raises NotRunning."""
        current = state.read(self.home) if state.owner(self.home) is not None else None
        if current is None:
            raise NotRunning(f"no stack runs in {self.home}: start one with `millrace up` or `make run`")
        return current

    @property
    def settings(self) -> Settings:
        """The settings of a client of this stack: addresses of its parts, everything else from the environment."""
        others = {key: value for key, value in os.environ.items() if key not in ADDRESSES}
        return Settings.read({**others, "MILLRACE_HOME": str(self.home)})

    def part(self, name: str) -> PartState:
        """Return the current state of a part. Raises NotRunning if the stack or this part does not run."""
        try:
            return self.state.parts[name]
        except KeyError:
            raise NotRunning(
                f"the stack in {self.home} has no part {name!r}; it has {', '.join(self.state.parts)}"
            ) from None

    def restart(self, name: str, *, kill: bool = False, seconds: float = 60.0) -> None:
        """Stop a part (with `kill`, by SIGKILL) and wait until its supervisor has it ready again.

        Raises NotRunning, and StartError if it is not ready within this many seconds.
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
