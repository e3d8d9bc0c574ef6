"""The partitions of `flow.tokens` whose runs this worker carries on, each with its state."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from streams.runtime.errors import Revoked
from streams.runtime.flow.partition_state import PartitionState


@dataclass(frozen=True)
class _Owned:
    generation: int
    state: PartitionState


class Partitions:
    """The partitions of one generation of the group membership. `generation` returns the member's present one."""

    def __init__(self, open_state: Callable[[int], PartitionState], generation: Callable[[], int]) -> None:
        self._open_state = open_state
        self._generation = generation
        self._owned: dict[int, _Owned] = {}

    def assign(self, working: Mapping[int, Iterable[asyncio.Task[None]]]) -> None:
        """Begin a generation: rebuild the state of each partition, given with the work of the last one that still runs in it.

        A partition is rebuilt before its first record comes: its timers wait in its state.
        """
        self.discard()
        for partition, tasks in working.items():
            state = self._open_state(partition)
            state.load(tasks)
            self._owned[partition] = _Owned(self._generation(), state)

    def discard(self) -> None:
        """Forget every state."""
        for owned in self._owned.values():
            owned.state.discard()
        self._owned.clear()

    async def state(self, partition: int) -> PartitionState:
        """Return the rebuilt state of a partition. Raises Revoked when this worker does not have it."""
        owned = self._owned.get(partition)
        if owned is None:
            raise Revoked(f"partition {partition}")
        return await owned.state.ready()

    async def rebuilt(self, partition: int) -> None:
        """Wait until the state of a partition is rebuilt; return at once for one that is not owned."""
        owned = self._owned.get(partition)
        if owned is not None:
            await owned.state.ready()

    def current(self, partition: int) -> bool:
        """Say whether the partition is owned in the member's present generation."""
        owned = self._owned.get(partition)
        return owned is not None and owned.generation == self._generation()

    async def prune(self) -> None:
        """Forget runs that ended long ago, in the partitions of the present generation."""
        for partition, owned in list(self._owned.items()):
            if self.current(partition):
                await owned.state.prune()
