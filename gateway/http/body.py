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
"""Bytes past which JSON is parsed in a thread, not on the event loop."""
MOST = 1_000_000
"""Lists, objects and values of one JSON text, at most: each takes a hundred times the memory of its bytes, and Python builds them
all at once, while nothing else runs."""


def media_type(request: Request) -> str:
    """Return the body's media type without parameters, in lower case; "" when it is not given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def announced(request: Request, ceiling: int) -> None:
    """Refuse a body whose announced length is too large, before a byte of it is read. Raises Problem (413)."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > ceiling:
        raise too_large(ceiling)


def is_small(request: Request) -> bool:
    """Return whether the announced length is so small that the body needs no upload slot."""
    length = request.headers.get("content-length", "")
    return length.isdigit() and int(length) <= _SMALL


def too_large(ceiling: int) -> Problem:
    """Return the problem of a body over its ceiling (bytes)."""
    return Problem(Kind.TOO_LARGE, f"The body is larger than {ceiling} bytes.", headers={"Connection": "close"})


async def read(request: Request, ceiling: int) -> bytes:
    """Return the whole body. Raises Problem (413) when it is larger than `ceiling` bytes."""
    announced(request, ceiling)
    chunks = bytearray()
    async for chunk in request.stream():
        if len(chunks) + len(chunk) > ceiling:
            raise too_large(ceiling)
        chunks += chunk
    return bytes(chunks)


async def read_json(request: Request, limits: Limits) -> Any:
    """Return the value of a JSON body, None when it is empty. Raises Problem (400, 413)."""
    data = await read(request, limits.json)
    return await parse(data, limits) if data.strip() else None


def described(schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    """Describe a JSON body for OpenAPI."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


class JsonBudget:
    """Counts the JSON of one request over all its parts, up to MOST."""

    def __init__(self) -> None:
        self._marks = 0

    def add(self, data: bytes | str, where: str = "") -> None:
        """Count a text before its values are built; brackets and commas inside strings count too. Raises Problem (413)."""
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
    """Return the value of JSON text; large text is parsed in a thread. Raises Problem (400, 413)."""
    (tally or JsonBudget()).add(data, where)
    if len(data) > _LARGE:
        return await asyncio.to_thread(parse_now, data, limits.depth, where)
    return parse_now(data, limits.depth, where)


def parse_now(data: bytes | str, depth: int, where: str = "") -> Any:
    """Return the value of JSON text of at most `depth` levels. Raises Problem (400)."""
    try:
        return strict.parse(data, depth)
    except strict.NotTaken as error:
        problem = str(error)
    raise Problem(Kind.BAD_REQUEST, f"The JSON of the body cannot be read: {problem}.", [Fault(where, problem)])


def canonical(value: Any) -> bytes:
    """Write JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str).encode()
