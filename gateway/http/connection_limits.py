"""The limits on open connections, overall and from one address, and which one is closed when there are too many."""

import resource
from collections.abc import Hashable
from typing import Protocol

from gateway.api.limits import Limits

_RESERVE = 256
"""File descriptors that the process keeps for its own connections, at most a quarter of those it may have."""


class Connection(Protocol):
    """A connection that can be closed for another one."""

    def give_way(self) -> None:
        """Close. Called only while the connection has no request."""


class ConnectionLimits:
    """Counts connections. At the limit, the one that has waited longest for a whole request head is closed for a new one.

    So no number of silent and half-open connections keeps a client out.
    """

    def __init__(self, limits: Limits) -> None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = min(limits.connections, files - min(_RESERVE, files // 4))
        self._most_per_peer = limits.peer
        self._open: dict[Connection, Hashable] = {}
        self._per_peer: dict[Hashable, int] = {}
        self._waiting: dict[Connection, None] = {}
        """Connections without a request, in the order in which they began to wait."""

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: Connection, peer: Hashable) -> str:
        """Admit a connection of this address, as a waiting one. Returns "", or why it is refused."""
        if self._per_peer.get(peer, 0) >= self._most_per_peer:
            why = f"{self._most_per_peer} connections from one address are open"
            oldest = next((each for each in self._waiting if self._open[each] == peer), None)
        elif len(self._open) >= self._most:
            why = f"{self._most} connections are open"
            oldest = next(iter(self._waiting), None)
        else:
            why, oldest = "", None
        if oldest is not None:
            self.leave(oldest)
            oldest.give_way()
        elif why:
            return why
        self._open[connection] = peer
        self._per_peer[peer] = self._per_peer.get(peer, 0) + 1
        self._waiting[connection] = None
        return ""

    def leave(self, connection: Connection) -> None:
        """Remove a closed connection; does nothing for one that was never admitted, or is removed already."""
        self._waiting.pop(connection, None)
        if (peer := self._open.pop(connection, None)) is not None:
            self._per_peer[peer] -= 1
            if not self._per_peer[peer]:
                del self._per_peer[peer]

    def busy(self, connection: Connection) -> None:
        """Mark a connection whose request head is complete."""
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """Mark a connection whose last answer is complete."""
        if connection in self._open:
            self._waiting[connection] = None
