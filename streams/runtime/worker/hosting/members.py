"""The consumer-group members of one worker."""

import asyncio
from collections.abc import Callable, Sequence

from streams.reader_trouble import Trouble
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.delivery.guard import guarded
from streams.runtime.kafka.group_member import REBALANCE_PATIENCE, GroupMember, MemberOptions
from streams.runtime.kafka.ordered_acks import DEPTH
from streams.wire.records import Handler, Record


class Members:
    """Creates, starts and stops the members of one worker."""

    def __init__(self, connections: Connections, letters: DeadLetters) -> None:
        self._connections = connections
        self._letters = letters
        self._unstarted: list[GroupMember] = []
        self.all: list[GroupMember] = []
        """Every member, in the order of `add`."""
        self.started = False
        """Whether `start` has returned; a member added later is started by its owner."""

    def add(
        self,
        name: str,
        topics: Sequence[str],
        handle: Handler,
        *,
        room: int,
        depth: int = DEPTH,
        patience: float = REBALANCE_PATIENCE,
        on_generation: Callable[[], None] | None = None,
        skips: Callable[[Record], bool] = lambda _: False,
        allowed: Callable[[], float] = lambda: 0.0,
    ) -> GroupMember:
        """Create a member of the group `name` whose handler is guarded (see `GroupMember` for the other parameters)."""
        member = GroupMember(
            self._connections.group(name),
            topics,
            guarded(handle, self._letters, name),
            self._connections.settings.brokers,
            MemberOptions(room, depth, patience, on_generation, skips, allowed),
        )
        self.all.append(member)
        self._unstarted.append(member)
        return member

    async def start(self) -> None:
        """Start every member, including those that are added meanwhile. Raises KafkaError and OSError."""
        while self._unstarted:
            members, self._unstarted = self._unstarted, []
            await asyncio.gather(*(member.start() for member in members))
        self.started = True

    async def stop(self, grace: float) -> None:
        """Fetch nothing more, let work in progress end within `grace` seconds, acknowledge it, and leave the groups."""
        await asyncio.gather(*(member.stop(grace) for member in self.all), return_exceptions=True)

    def groups(self) -> tuple[str, ...]:
        """Return the full names of the groups."""
        return tuple(member.group for member in self.all)

    def troubles(self) -> tuple[Trouble, ...]:
        """Return what the members cannot read now."""
        return tuple(member.trouble for member in self.all if member.trouble is not None)

    def failure(self) -> str | None:
        """Return why a member cannot go on; None while all can."""
        return next((member.failure for member in self.all if member.failure is not None), None)
