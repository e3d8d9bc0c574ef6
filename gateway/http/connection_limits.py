"""How many connections there may be at once, overall and from one address, and which one goes when there are too many."""

import resource
from collections.abc import Hashable
from typing import Protocol

from gateway.api.limits import Limits

_RESERVE = 256
"""Files that the process keeps for its own connections, at most a quarter of what it may have open."""


class Connection(Protocol):
    """What can be asked to go."""

    def give_way(self) -> None:
        """Closes; called only while no request of it is under way."""


class ConnectionLimits:
    """Counts connections. When one more is too many, the one that has waited longest for a whole request head goes for it.

    So that silent and half-open connections, however many, keep nobody out.
    """

    def __init__(self, limits: Limits) -> None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = min(limits.connections, files - min(_RESERVE, files // 4))
        self._most_of_one = limits.peer
        self._inside: dict[Connection, Hashable] = {}
        self._of_one: dict[Hashable, int] = {}
        self._waiting: dict[Connection, None] = {}
        """In the order in which they began to wait."""

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, connection: Connection, peer: Hashable) -> str:
        """Lets a connection of this address in, as one that waits; "" or why it cannot be."""
        if self._of_one.get(peer, 0) >= self._most_of_one:
            why = f"{self._most_of_one} connections from one address are open"
            before = next((one for one in self._waiting if self._inside[one] == peer), None)
        elif len(self._inside) >= self._most:
            why = f"{self._most} connections are open"
            before = next(iter(self._waiting), None)
        else:
            why, before = "", None
        if before is not None:
            self.leave(before)
            before.give_way()
        elif why:
            return why
        self._inside[connection] = peer
        self._of_one[peer] = self._of_one.get(peer, 0) + 1
        self._waiting[connection] = None
        return ""

    def leave(self, connection: Connection) -> None:
        """Hears that a connection is closed; one that never came in, or has left, changes nothing."""
        self._waiting.pop(connection, None)
        if (peer := self._inside.pop(connection, None)) is not None:
            self._of_one[peer] -= 1
            if not self._of_one[peer]:
                del self._of_one[peer]

    def busy(self, connection: Connection) -> None:
        """Hears that a whole request head has come."""
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """Hears that its last answer is complete."""
        if connection in self._inside:
            self._waiting[connection] = None
