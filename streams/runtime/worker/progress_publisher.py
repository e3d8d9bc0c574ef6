"""ProgressPublisher the followers of a run how far one attempt of a task is, between its beginning and what comes of it."""

import asyncio
from collections.abc import Iterable

from streams.messages import Event, Task
from streams.nodes.service import progressed
from streams.runtime.connections.publish import Publisher
from streams.service.progress_report import Progress


class ProgressPublisher:
    """The events of one attempt. What is said while an earlier one is on its way to the broker replaces what waits."""

    def __init__(self, task: Task, publisher: Publisher) -> None:
        self._task = task
        self._publisher = publisher
        self._newest: Progress | None = None
        self._news = asyncio.Event()

    def take(self, progress: Progress) -> None:
        """Something was said."""
        self._newest = progress
        self._news.set()

    async def follow(self, first: Iterable[Event], work: "asyncio.Task[object]") -> None:
        """Sends `first`, and then what is said until the work ends."""
        await self._publisher.tell(first)
        work.add_done_callback(lambda _: self._news.set())
        while not work.done():
            await self._news.wait()
            self._news.clear()
            if not work.done():
                await self._publisher.tell(self.rest())

    def rest(self) -> list[Event]:
        """What was said and is not sent yet: it goes before what comes of the attempt."""
        newest, self._newest = self._newest, None
        return [] if newest is None else [progressed(self._task, newest)]
