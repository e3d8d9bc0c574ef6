"""The dead letters of this installation, for the commands about them."""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from schemas.errors import RegistryUnavailable, SchemasError
from streams.cli.exits import Exit, Failed
from streams.cli.output import columns
from streams.cli.settings import settings
from streams.cli.timestamps import since as moment_of
from streams.runtime.catalogue.apply import connected
from streams.runtime.connections.dead_letters import DeadLetter, DeadLetters, Filter
from streams.runtime.errors import Missing, Unavailable
from streams.timestamps import moment

T = TypeVar("T")


def selection(topic: str, consumer: str, run: str, reason: str, since: str) -> Filter:
    """Return the filter of these options, of which empty ones select all. Raises Failed for a time that cannot be read."""
    return Filter(
        topic=topic,
        consumer=consumer,
        run=run,
        reason=reason,
        since=moment_of("--since", since).timestamp() if since else None,
    )


def on(act: Callable[[DeadLetters], Awaitable[T]]) -> T:
    """Return what `act` returns for the dead letters of this installation."""
    return asyncio.run(_connected(act))


async def _connected(act: Callable[[DeadLetters], Awaitable[T]]) -> T:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        async with connected(settings(), "millrace-cli") as connections:
            return await act(DeadLetters(connections))
    except (Unavailable, RegistryUnavailable) as error:
        raise Failed(Exit.UNAVAILABLE, f"{error}; start the system with `make run`") from error
    except Missing as error:
        raise Failed(Exit.UNKNOWN, str(error)) from error
    except SchemasError as error:
        raise Failed(Exit.FAULT, str(error)) from error


def document(letter: DeadLetter) -> dict[str, Any]:
    """Return all of a dead letter as JSON values."""
    return {
        **letter.document(),
        "headers": [{"name": name, "value": _readable(value)} for name, value in letter.headers],
        "key": _readable(letter.key),
        "value_base64": base64.b64encode(letter.value).decode() if letter.value is not None else None,
        "stack": letter.stack,
    }


def text(letter: DeadLetter) -> str:
    """Return a dead letter as text, with the beginning of its value, and its stack."""
    rows = [
        ("id", letter.id),
        ("at", moment(letter.at)),
        ("from", f"{letter.topic}/{letter.partition}@{letter.offset}"),
        ("run", letter.run or "-"),
        ("path", letter.path or "-"),
        ("attempt", str(letter.attempt)),
        ("consumer", letter.consumer),
        ("reason", letter.reason),
        ("key", repr(letter.key)),
        ("value", f"{len(letter.value):,} bytes: {letter.value[:200]!r}" if letter.value is not None else "none"),
        *(
            (f"header {name}", "none" if value is None else str(_readable(value[:200])))
            for name, value in letter.headers
        ),
    ]
    return columns(rows) + (f"\n\n{letter.stack.rstrip()}" if letter.stack else "")


def _readable(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="backslashreplace")
