"""Connecting: a name is looked up once, every address is judged, and a judged one is what is connected to.

httpcore asks this for its connections and does TLS itself, against the name: nobody looks the name up a second time.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore

from agents.web.address import Network, refusal
from agents.web.target import Address
from streams.service.errors import InvalidInput, RetryLater

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves a host to its addresses, best first. Raises OSError."""


async def lookup(host: str, port: int) -> Sequence[str]:
    """Resolve a host with the system's resolver."""
    addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in addresses))


class Dialler(httpcore.AsyncNetworkBackend):
    """Connects to a host only where all its addresses may be connected to. Raises InvalidInput, RetryLater and httpcore's errors."""

    def __init__(self, ranges: Sequence[Network], resolve: Resolve = lookup) -> None:
        self._ranges = ranges
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses, tried in turn."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._judged(host, port)
        except TimeoutError:
            raise RetryLater(f"the name {host} was not resolved in {timeout:g} s") from None
        failure: Exception = RetryLater(f"{host} has no address")
        for address in addresses:
            try:
                stream = await self._backend.connect_tcp(str(address), port, timeout=timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            peer = stream.get_extra_info("server_addr")
            if ip_address(str(peer[0])) != address:
                await stream.aclose()
                raise InvalidInput(
                    f"{host} was connected to at another address than the one that was checked", where="url"
                )
            return stream
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's own signature
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse the connection. Raises InvalidInput."""
        raise InvalidInput("sockets of this machine cannot be called", where="url")

    async def sleep(self, seconds: float) -> None:
        """Sleep, for httpcore."""
        await asyncio.sleep(seconds)

    async def _judged(self, host: str, port: int) -> list[Address]:
        try:
            addresses = [ip_address(resolved) for resolved in await self._resolve(host, port)]
        except (OSError, UnicodeError):
            raise RetryLater(f"the name {host} cannot be resolved") from None
        for address in addresses:  # one forbidden address refuses the host: its other addresses are not trusted either
            reason = refusal(address, self._ranges)
            if reason:
                raise InvalidInput(f"{host} leads to an address that may not be called ({reason})", where="url")
        return addresses
