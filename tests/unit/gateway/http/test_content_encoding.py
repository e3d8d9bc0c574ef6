"""Bodies that come packed."""

import asyncio
import gzip
import random
from typing import Any

import pytest

from gateway.api.problems import Problem
from gateway.http.content_encoding import ContentDecoding

TEXT = b'{"name": "Ada"}'


def read(
    body: bytes, *codings: str, sizes: tuple[int, ...] = (), patience: int = 0
) -> tuple[bytes, dict[str, str], int]:
    """What an application reads of a packed body: the bytes, its headers, and the largest piece.

    `sizes`: of the pieces in which it comes; `patience`: every so many-th question is given up and asked again.
    """
    pieces, rest = list[bytes](), body
    for size in sizes:
        pieces, rest = [*pieces, rest[:size]], rest[size:]
    messages = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
    messages.append({"type": "http.request", "body": rest, "more_body": False})
    asked = 0

    async def receive() -> Any:
        nonlocal asked
        asked += 1
        if patience and messages and asked % patience == 0:
            raise TimeoutError
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    got, largest, seen = b"", 0, dict[str, str]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal got, largest
        seen.update({name.decode(): value.decode() for name, value in scope["headers"]})
        more = True
        while more:
            try:
                message = await receive()
            except TimeoutError:
                continue
            got, largest, more = got + message["body"], max(largest, len(message["body"])), message["more_body"]
        assert (await receive())["type"] == "http.disconnect"

    async def send(_: Any) -> None:
        raise AssertionError

    headers = [(b"content-encoding", one.encode()) for one in codings] + [(b"content-length", b"%d" % len(body))]
    asyncio.run(ContentDecoding(app)({"type": "http", "headers": headers}, receive, send))
    return got, seen, largest


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "identity, gzip"])
def test_gzip_is_unpacked(coding: str) -> None:
    """And nothing says any more that it was packed, or how long that was."""
    got, headers, _ = read(gzip.compress(TEXT), coding)
    assert (got, headers) == (TEXT, {})


def test_an_uncompressed_body_is_left_alone() -> None:
    """`identity` says nothing."""
    assert read(TEXT, "identity")[:2] == (TEXT, {"content-encoding": "identity", "content-length": "15"})
    assert read(TEXT)[0] == TEXT


def test_it_may_come_in_any_pieces_and_members() -> None:
    """Also when a reader gives up now and then, and asks again."""
    order = random.Random(3)
    for _ in range(50):
        parts = [order.randbytes(order.randrange(3000)) for _ in range(order.randrange(1, 4))]
        body = b"".join(gzip.compress(part) for part in parts)
        sizes = tuple(order.randrange(600) for _ in range(order.randrange(20)))
        assert read(body, "gzip", sizes=sizes, patience=order.choice((0, 2, 3)))[0] == b"".join(parts)
    assert read(b"", "gzip")[0] == b""


def test_a_small_body_that_becomes_a_large_one_comes_in_pieces() -> None:
    """So that a limit of size ends it in time."""
    got, _, largest = read(gzip.compress(bytes(10_000_000)), "gzip")
    assert got == bytes(10_000_000)
    assert largest <= 256 * 1024


@pytest.mark.parametrize(
    "body",
    [TEXT, gzip.compress(TEXT, mtime=0)[:-3], gzip.compress(TEXT, mtime=0)[:5], gzip.compress(TEXT, mtime=0) + b"x"],
)
def test_a_body_that_is_no_gzip_is_refused(body: bytes) -> None:
    """400, with what is wrong."""
    with pytest.raises(Problem, match="not gzip") as caught:
        read(body, "gzip")
    assert caught.value.kind.status == 400


@pytest.mark.parametrize("codings", [("br",), ("deflate",), ("gzip, gzip",), ("gzip", "br")])
def test_another_coding_is_refused(codings: tuple[str, ...]) -> None:
    """415, with its name and what is taken."""
    with pytest.raises(Problem, match=codings[-1].split(",")[-1].strip()) as caught:
        read(TEXT, *codings)
    assert (caught.value.kind.status, caught.value.headers) == (415, {"Accept-Encoding": "gzip"})
