"""Whether the parts of a gateway answer, checked in the background: any number of health requests cost the parts nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Check = Callable[[], Awaitable[object]]
"""Checks one part; raises when it cannot serve, with a message for people."""

EVERY = 2.0
"""Seconds between an answer of a part and the next check."""
PATIENCE = 2.0
"""Seconds that a part may take to answer before it counts as missing."""
READERS = "readers"
"""The name under which workers count as missing that cannot read what they should."""


@dataclass(frozen=True)
class _Answer:
    at: float
    why: str = "it has not answered yet"


class Health:
    """Checks each part on its own, repeatedly. A check is never cut short: that could cost a client's pool a connection."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        clock: Callable[[], float] = time.monotonic,
        every: Mapping[str, float] | None = None,
    ) -> None:
        """Take `checks` by the name under which a part is reported missing, and in `every` the seconds between two checks, where not EVERY."""
        self._checks = checks
        self._every = every or {}
        self._clock = clock
        self._answers = {name: _Answer(clock()) for name in checks}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to check."""
        self._tasks = [
            asyncio.create_task(self._check(name, check), name=f"health of {name}")
            for name, check in self._checks.items()
        ]

    async def stop(self) -> None:
        """End the checks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def missing(self) -> dict[str, str]:
        """Return why the gateway cannot serve, by part; empty when it can. An answer that is too old does not count."""
        now = self._clock()
        missing = {}
        for name, answer in self._answers.items():
            age = now - answer.at
            if why := f"no answer for {age:.0f} s" if age > EVERY + PATIENCE else answer.why:
                missing[name] = why
        return missing

    async def _check(self, name: str, check: Check) -> None:
        while True:
            try:
                await check()
                why = ""
            except Exception as error:  # noqa: BLE001  # whatever the error is, the part is missing
                why = str(error) or type(error).__name__
            self._answers[name] = _Answer(self._clock(), why)
            await asyncio.sleep(self._every.get(name, EVERY))
