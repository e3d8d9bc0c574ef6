"""Whether the parts of a gateway answer: asked in the background, so that however many ask for it cost nothing and harm nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Check = Callable[[], Awaitable[object]]
"""Asks one part; raises when it cannot serve, with words for people."""

EVERY = 2.0
"""Seconds between an answer of a part and the next question."""
PATIENCE = 2.0
"""Seconds that a part may take to answer before it counts as missing."""


@dataclass(frozen=True)
class _Answer:
    at: float
    why: str = "it has not answered yet"


class Health:
    """Asks each part on its own, again and again. A question is never cut short: that could cost a client's pool a connection."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        clock: Callable[[], float] = time.monotonic,
        every: Mapping[str, float] | None = None,
    ) -> None:
        """`checks`: by the name under which a part is reported missing. `every`: the seconds between two questions, where not EVERY."""
        self._checks = checks
        self._every = every or {}
        self._clock = clock
        self._answers = {name: _Answer(clock()) for name in checks}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to ask."""
        self._tasks = [
            asyncio.create_task(self._ask(name, check), name=f"health of {name}")
            for name, check in self._checks.items()
        ]

    async def stop(self) -> None:
        """Asks no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def missing(self) -> dict[str, str]:
        """What keeps the gateway from serving, by part; empty when nothing does. An answer that is too old is none."""
        now = self._clock()
        found = {}
        for name, answer in self._answers.items():
            age = now - answer.at
            if why := f"no answer for {age:.0f} s" if age > EVERY + PATIENCE else answer.why:
                found[name] = why
        return found

    async def _ask(self, name: str, check: Check) -> None:
        while True:
            try:
                await check()
                why = ""
            except Exception as error:  # noqa: BLE001  # whatever is wrong with a part, it is what is missing
                why = str(error) or type(error).__name__
            self._answers[name] = _Answer(self._clock(), why)
            await asyncio.sleep(self._every.get(name, EVERY))
