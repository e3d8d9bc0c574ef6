"""One run in memory: its events in order, whether they are complete, and the readers that wait for the next. No I/O here."""

import asyncio
from bisect import bisect_right
from dataclasses import dataclass, field

from gateway.data.logged_event import LoggedEvent


@dataclass(slots=True)
class RunBuffer:
    """One run. `events` holds every event from the offset `since` on; `whole` says that it holds all of them."""

    run: str
    partition: int
    since: int
    whole: bool = False
    events: list[LoggedEvent] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)
    ended: bool = False
    readers: int = 0
    size: int = 0
    version: int = 0
    """Counts the changes, so that a change between looking and waiting is not missed."""
    restoring: asyncio.Lock = field(default_factory=asyncio.Lock)
    _change: asyncio.Future[None] | None = None

    @property
    def terminal(self) -> LoggedEvent | None:
        """The event that ended the run; None while it is running."""
        return self.events[-1] if self.ended else None

    def accepts(self, event: LoggedEvent) -> bool:
        """Return whether an event may follow those held: the run has not ended, and the event is neither repeated nor superseded."""
        return not (self.ended or event.id in self.ids or event.unless in self.ids)

    def position_after(self, sequence: int) -> int:
        """Return the position in `events` of the first event past this sequence number."""
        return bisect_right(self.events, sequence, key=lambda event: event.sequence)

    async def changed(self, version: int, seconds: float) -> bool:
        """Wait until the buffer has changed since this version; False when it has not within so many seconds."""
        if self.version != version:
            return True
        if self._change is None:
            self._change = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._change)
        except TimeoutError:
            return False
        return True

    def notify(self) -> None:
        """Wake every waiting reader."""
        self.version += 1
        if self._change is not None:
            if not self._change.done():
                self._change.set_result(None)
            self._change = None
