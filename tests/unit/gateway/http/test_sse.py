"""The text of server-sent events, and the stream to one client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from gateway.api.problems import Kind, Problem
from gateway.http.sse import EventStream, frame, last_event_id


def test_a_frame() -> None:
    """Id, name and data each have a line, and an empty line ends the event."""
    assert frame("run.accepted", b'{"a":1}', 7) == b'id: 7\nevent: run.accepted\ndata: {"a":1}\n\n'


def test_last_event_id() -> None:
    """An id is a number; anything else is the caller's fault."""
    assert last_event_id({}) == -1
    assert last_event_id({"last-event-id": ""}) == -1
    assert last_event_id({"last-event-id": "0"}) == 0
    for bad in ("x", "-1", "1.5", "²", "9" * 30):
        with pytest.raises(Problem):
            last_event_id({"last-event-id": bad})


def play(frames: AsyncIterator[bytes], receive: Any = None, send: Any = None, stall: float = 5.0) -> list[Message]:
    """What a client gets."""
    sent: list[Message] = []

    async def never() -> Message:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def collect(message: Message) -> None:
        sent.append(message)
        if send is not None:
            await send(message)

    async def run() -> None:
        async with asyncio.timeout(20):
            await EventStream(frames, stall=stall)({"type": "http"}, receive or never, collect)

    asyncio.run(run())
    return sent


def body(sent: list[Message]) -> bytes:
    """All that was sent after the head."""
    return b"".join(message["body"] for message in sent[1:])


def test_a_stream_ends_with_its_frames() -> None:
    """Frames are sent as they come, and the response is complete when they end."""

    async def frames() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    sent = play(frames())
    headers = dict(sent[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-store"
    assert b"content-length" not in headers
    assert body(sent) == b"retry: 1000\n\nonetwo"
    assert sent[-1]["more_body"] is False


@pytest.mark.parametrize(
    ("error", "says"),
    [(Problem(Kind.UNAVAILABLE, "Kafka is away"), b"Kafka is away"), (ValueError("secret"), b"cannot go on")],
)
def test_an_error_after_the_start_is_an_error_event(error: Exception, says: bytes) -> None:
    """The client is told in the stream, in our words, since the status has been sent."""

    async def frames() -> AsyncIterator[bytes]:
        yield b"one"
        raise error

    text = body(play(frames()))
    assert b"one" + b"event: error\ndata: {" in text
    assert says in text
    assert b"secret" not in text


def test_a_client_that_goes_frees_its_stream() -> None:
    """A disconnect ends the frames and runs their clean-up, though no frame comes."""
    closed = []
    begun = asyncio.Event()

    async def frames() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            begun.set()
            await asyncio.get_running_loop().create_future()
        finally:
            closed.append(True)

    async def gone() -> Message:
        await begun.wait()
        return {"type": "http.disconnect"}

    play(frames(), receive=gone)
    assert closed == [True]


def test_a_client_that_does_not_read_is_dropped() -> None:
    """A send that does not come through within the stall time ends the stream and frees it."""
    closed = []

    async def frames() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.append(True)

    async def stuck(message: Message) -> None:
        if len(message.get("body", b"")) > 100:
            await asyncio.get_running_loop().create_future()

    play(frames(), send=stuck, stall=0.05)
    assert closed == [True]
