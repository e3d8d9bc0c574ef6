"""Framing of messages between a worker and its child processes: the length, then the bytes."""

import asyncio
import socket
import struct

_SIZE = struct.Struct("!Q")
_MOST = 2**31
"""The largest message in bytes that a worker reads; the memory limit of a child is far lower."""


def frame(message: bytes) -> bytes:
    """Return the frame of a message."""
    return _SIZE.pack(len(message)) + message


async def read(reader: asyncio.StreamReader) -> bytes:
    """Read the next message. Raises IncompleteReadError at the end of the stream, and for a size that is too large."""
    head = await reader.readexactly(_SIZE.size)
    (size,) = _SIZE.unpack(head)
    if size > _MOST:
        raise asyncio.IncompleteReadError(head, size)
    return await reader.readexactly(size)


def receive(channel: socket.socket) -> bytearray:
    """Read the next message, blocking until it is there. Raises EOFError when the other end has closed."""
    (size,) = _SIZE.unpack(_exactly(channel, _SIZE.size))
    return _exactly(channel, size)


def _exactly(channel: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = channel.recv_into(rest)
        if not count:
            raise EOFError
        rest = rest[count:]
    return data
