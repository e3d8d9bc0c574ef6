"""What a family of processes listens on."""

import socket

import psutil


def listening(pid: int) -> set[tuple[str, int]]:
    """Every address on which a process or its descendants accept connections or datagrams."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    sockets = [found for member in family for found in member.net_connections(kind="inet")]
    return {
        (found.laddr.ip, found.laddr.port)
        for found in sockets
        if found.status == psutil.CONN_LISTEN or (found.type == socket.SOCK_DGRAM and not found.raddr)
    }
