"""Writing rows into tables of the history by COPY in PostgreSQL's text format: one stream for a whole batch, no statement per row."""

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import psycopg

from streams.timestamps import dated

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\0": "\ufffd"})
_NULL = r"\N"


async def copy(connection: psycopg.AsyncConnection[Any], table: str, columns: str, lines: Iterable[str]) -> None:
    """Add rows, each a line of the fields below, separated by tabs. Raises psycopg.Error, such as UniqueViolation."""
    block = "\n".join(lines)
    if not block:
        return
    statement = f"copy {table} ({columns}) from stdin"  # both names are constants
    async with connection.cursor() as cursor, cursor.copy(statement.encode()) as stream:
        await stream.write(f"{block}\n".encode())


def text(value: str) -> str:
    """Format a text. U+FFFD replaces NUL, which PostgreSQL cannot store."""
    return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)


def optional(value: str | None) -> str:
    """Format a text or null."""
    return _NULL if value is None else text(value)


def number(value: int | None) -> str:
    """Format an integer or null."""
    return _NULL if value is None else str(value)


def stamp(at: float) -> str:
    """Format epoch seconds as a time in UTC, in microseconds; times after year 9999 are clamped."""
    try:
        second = int(at // 1)
        return f"{_second(second)}.{int((at - second) * 1e6):06}+00"
    except (OverflowError, ValueError):
        return dated(at).isoformat()


@functools.lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return dated(second).strftime("%Y-%m-%d %H:%M:%S")


def numbers(values: Sequence[int]) -> str:
    """Format an array of integers."""
    return "{" + ",".join(map(str, values)) + "}" if values else "{}"


def json(value: Any) -> str:
    """Format a value as jsonb; None becomes SQL's null, not JSON's."""
    return _NULL if value is None else jsonb(value).replace("\\", r"\\")


def jsonb(value: Any) -> str:
    """Encode a value as JSON that PostgreSQL accepts: null replaces NaN, and U+FFFD replaces NUL in texts."""
    data = msgspec.json.encode(value)
    return (_NUL.sub(rb"\1\\ufffd", data) if b"\\u0000" in data else data).decode()
