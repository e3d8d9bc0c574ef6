"""List the addresses on which a process and its descendants listen."""

import socket
from typing import Any

import psutil


def listening(pid: int) -> set[tuple[str, int]]:
    """Every address on which a process or its descendants accept connections or datagrams."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    sockets = [found for member in family for found in _sockets(member)]
    return {
        (found.laddr.ip, found.laddr.port)
        for found in sockets
        if found.status == psutil.CONN_LISTEN or (found.type == socket.SOCK_DGRAM and not found.raddr)
    }


def _sockets(process: psutil.Process) -> list[Any]:
    """What a process has open; nothing when it has ended meanwhile, as a probe of the supervisor may."""
    try:
        return list(process.net_connections(kind="inet"))
    except psutil.NoSuchProcess:
        return []
