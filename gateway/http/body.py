"""Reading a request body without trusting its size, its depth or its text."""

import asyncio
import json
from typing import Any

from starlette.requests import Request

from gateway.api.limits import Limits
from gateway.api.problems import Fault, Kind, Problem
from schemas.validation import strict

_SMALL = 64 * 1024
_LARGE = 256 * 1024
"""Bytes past which parsing leaves the event loop."""
MOST = 1_000_000
"""Lists, objects and values of one JSON text: each takes a hundred times the memory of its bytes, and Python builds them all in
one go while nothing else gets its turn."""


def media_type(request: Request) -> str:
    """The body's media type without parameters, in lower case; "" when not said."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def announced(request: Request, ceiling: int) -> None:
    """Refuses a body whose announced length is too large, before a byte of it is read."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > ceiling:
        raise too_large(ceiling)


def is_small(request: Request) -> bool:
    """Whether the body says that it is so small that it need not wait for others."""
    length = request.headers.get("content-length", "")
    return length.isdigit() and int(length) <= _SMALL


def too_large(ceiling: int) -> Problem:
    """The problem of a body over its ceiling (bytes)."""
    return Problem(Kind.TOO_LARGE, f"The body is larger than {ceiling} bytes.", headers={"Connection": "close"})


async def read(request: Request, ceiling: int) -> bytes:
    """The whole body. Raises Problem (413) when it is larger than `ceiling` bytes."""
    announced(request, ceiling)
    chunks = bytearray()
    async for chunk in request.stream():
        if len(chunks) + len(chunk) > ceiling:
            raise too_large(ceiling)
        chunks += chunk
    return bytes(chunks)


async def read_json(request: Request, limits: Limits) -> Any:
    """The value of a JSON body, None when it is empty. Raises Problem (400, 413)."""
    data = await read(request, limits.json)
    return await parse(data, limits) if data.strip() else None


def described(schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    """What an OpenAPI document says of a JSON body that a call takes."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


class JsonBudget:
    """How much JSON one request may still bring, whatever number of parts it comes in."""

    def __init__(self) -> None:
        self._marks = 0

    def add(self, data: bytes | str, where: str = "") -> None:
        """Counts a text before one of its values is built. What looks like one inside a string counts too. Raises Problem (413)."""
        self._marks += _marks(data)
        if self._marks > MOST:
            problem = f"more than {MOST:,} lists, objects and commas"
            hint = "send less at once; a long text can be a part of its own in multipart/form-data"
            raise Problem(Kind.TOO_LARGE, f"The JSON of the body has {problem}.", [Fault(where, problem, hint)])


def _marks(data: bytes | str) -> int:
    if isinstance(data, str):
        return data.count("[") + data.count("{") + data.count(",")
    return data.count(b"[") + data.count(b"{") + data.count(b",")


async def parse(data: bytes | str, limits: Limits, where: str = "", tally: JsonBudget | None = None) -> Any:
    """The value of JSON text; large text is parsed beside the event loop. Raises Problem (400, 413)."""
    (tally or JsonBudget()).add(data, where)
    if len(data) > _LARGE:
        return await asyncio.to_thread(parse_now, data, limits.depth, where)
    return parse_now(data, limits.depth, where)


def parse_now(data: bytes | str, depth: int, where: str = "") -> Any:
    """The value of JSON text of at most `depth` levels. Raises Problem (400)."""
    try:
        return strict.parse(data, depth)
    except strict.NotTaken as error:
        problem = str(error)
    raise Problem(Kind.BAD_REQUEST, f"The JSON of the body cannot be read: {problem}.", [Fault(where, problem)])


def canonical(value: Any) -> bytes:
    """JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str).encode()
