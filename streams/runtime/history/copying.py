"""Rows into tables of the history by COPY, as PostgreSQL's text format has them: one stream for a whole batch, no statement a row."""

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
    """Adds rows, each a line of fields as below with tabs between. Raises psycopg.Error, UniqueViolation among them."""
    block = "\n".join(lines)
    if not block:
        return
    statement = f"copy {table} ({columns}) from stdin"  # both are names of our own
    async with connection.cursor() as cursor, cursor.copy(statement.encode()) as stream:
        await stream.write(f"{block}\n".encode())


def text(value: str) -> str:
    """A text. PostgreSQL holds no NUL: U+FFFD stands for it."""
    return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)


def optional(value: str | None) -> str:
    """A text, or null."""
    return _NULL if value is None else text(value)


def number(value: int | None) -> str:
    """A whole number, or null."""
    return _NULL if value is None else str(value)


def stamp(at: float) -> str:
    """Epoch seconds as a time in UTC, to the microsecond; the last that there is for what no calendar has."""
    try:
        second = int(at // 1)
        return f"{_second(second)}.{int((at - second) * 1e6):06}+00"
    except (OverflowError, ValueError):
        return dated(at).isoformat()


@functools.lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return dated(second).strftime("%Y-%m-%d %H:%M:%S")


def numbers(values: Sequence[int]) -> str:
    """An array of whole numbers."""
    return "{" + ",".join(map(str, values)) + "}" if values else "{}"


def json(value: Any) -> str:
    """A value as jsonb; None is no JSON null but none at all."""
    return _NULL if value is None else jsonb(value).replace("\\", r"\\")


def jsonb(value: Any) -> str:
    """A value as JSON that PostgreSQL takes: no NaN (null instead), no NUL in texts (U+FFFD instead)."""
    made = msgspec.json.encode(value)
    return (_NUL.sub(rb"\1\\ufffd", made) if b"\\u0000" in made else made).decode()
