"""Progress of one attempt of a task, published to the followers of its run."""

import asyncio
from collections.abc import Iterable

from streams.messages import Event, Task
from streams.nodes.service import progressed
from streams.runtime.connections.publish import Publisher
from streams.service.progress_report import Progress


class ProgressPublisher:
    """Publishes the events of one attempt. While one is on its way to the broker, newer progress replaces what waits."""

    def __init__(self, task: Task, publisher: Publisher) -> None:
        self._task = task
        self._publisher = publisher
        self._newest: Progress | None = None
        self._changed = asyncio.Event()

    def take(self, progress: Progress) -> None:
        """Accept progress, to be published soon."""
        self._newest = progress
        self._changed.set()

    async def follow(self, first: Iterable[Event], work: "asyncio.Task[object]") -> None:
        """Publish `first`, and then progress until the work ends."""
        await self._publisher.publish_events(first)
        work.add_done_callback(lambda _: self._changed.set())
        while not work.done():
            await self._changed.wait()
            self._changed.clear()
            if not work.done():
                await self._publisher.publish_events(self.rest())

    def rest(self) -> list[Event]:
        """Return the progress that is not published yet; it goes before what follows from the attempt."""
        newest, self._newest = self._newest, None
        return [] if newest is None else [progressed(self._task, newest)]
