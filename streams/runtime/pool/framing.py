"""Messages between a worker and its child processes: bytes, each with their length before them."""

import asyncio
import socket
import struct

_SIZE = struct.Struct("!Q")
_MOST = 2**31
"""Bytes of a message that a worker reads: what a child may take is far less."""


def frame(message: bytes) -> bytes:
    """A message as it is sent."""
    return _SIZE.pack(len(message)) + message


async def read(reader: asyncio.StreamReader) -> bytes:
    """The next message. Raises IncompleteReadError at the end of the stream, and where a message of absurd size is announced."""
    head = await reader.readexactly(_SIZE.size)
    (size,) = _SIZE.unpack(head)
    if size > _MOST:
        raise asyncio.IncompleteReadError(head, size)
    return await reader.readexactly(size)


def receive(channel: socket.socket) -> bytearray:
    """The next message, waiting for it. Raises EOFError when the other end has closed."""
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
