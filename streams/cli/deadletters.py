"""`dead-letters`: what could not be processed: see it, and send it again."""

import asyncio
import base64
import logging
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, columns, emit, say
from streams.cli.settings import settings

if TYPE_CHECKING:
    from streams.runtime.deadletters import DeadLetter, DeadLetters

T = TypeVar("T")

Identity = Annotated[str, typer.Argument(help="The letter's id, as `list` shows it.", metavar="ID")]
Identities = Annotated[list[str], typer.Argument(help="Ids, as `list` shows them.", metavar="ID…", show_default=False)]
Last = Annotated[int, typer.Option("--last", min=1, help="How many, the newest last.")]
Raw = Annotated[bool, typer.Option("--raw", help="Only the record's value, byte for byte.")]


def listing(last: Last = 50, output: OutputOption = Output.TEXT) -> None:
    """List dead letters, the newest last."""

    async def read(letters: "DeadLetters") -> "list[DeadLetter]":
        return sorted([one async for one in letters.read()], key=lambda one: one.at)[-last:]

    found = _with(read)
    if output is Output.JSON:
        for one in found:
            emit(output, _document(one, whole=False), "")
    elif found:
        rows = [(one.id, _moment(one.at), one.topic, one.run or "-", _first_line(one.reason)) for one in found]
        print(columns(rows, ("ID", "AT", "TOPIC", "RUN", "REASON")))
    else:
        say("millrace: there are no dead letters")


def show(identity: Identity, raw: Raw = False, output: OutputOption = Output.TEXT) -> None:
    """Show one dead letter: where it stood, why it was given up, its headers and its bytes."""
    one = _with(lambda letters: letters.show(identity))
    if raw:
        sys.stdout.buffer.write(one.value or b"")
        return
    emit(output, _document(one, whole=True), lambda: _text(one))


def resend(identities: Identities, output: OutputOption = Output.TEXT) -> None:
    """Send dead letters again to the topics where they stood, as they were. They stay in the list."""

    async def send(letters: "DeadLetters") -> "list[DeadLetter]":
        return [await letters.resend(identity) for identity in identities]

    for one in _with(send):
        emit(output, {"id": one.id, "topic": one.topic, "run": one.run}, f"{one.id} → {one.topic}")


def _with(act: "Callable[[DeadLetters], Awaitable[T]]") -> T:
    """What `act` gives with the dead letters of this installation."""
    return asyncio.run(_connected(act))


async def _connected(act: "Callable[[DeadLetters], Awaitable[T]]") -> T:
    from schemas.errors import RegistryAway, SchemasError
    from streams.runtime.apply import connected
    from streams.runtime.deadletters import DeadLetters
    from streams.runtime.errors import Away, Missing

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        async with connected(settings(), "millrace-cli") as parts:
            return await act(DeadLetters(parts))
    except (Away, RegistryAway) as error:
        raise Failed(Exit.AWAY, f"{error}; start the system with `make run`") from error
    except Missing as error:
        raise Failed(Exit.UNKNOWN, str(error)) from error
    except SchemasError as error:
        raise Failed(Exit.FAULT, str(error)) from error


def _document(one: "DeadLetter", *, whole: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": one.id,
        "at": _moment(one.at),
        "topic": one.topic,
        "partition": one.partition,
        "offset": one.offset,
        "run": one.run,
        "path": one.path,
        "attempt": one.attempt,
        "consumer": one.consumer,
        "reason": one.reason,
    }
    if whole:
        made["headers"] = {name: value.decode(errors="backslashreplace") for name, value in one.headers}
        made["key"] = one.key.decode(errors="backslashreplace") if one.key is not None else None
        made["value_base64"] = base64.b64encode(one.value).decode() if one.value is not None else None
        made["stack"] = one.stack
    return made


def _text(one: "DeadLetter") -> str:
    rows = [
        ("id", one.id),
        ("at", _moment(one.at)),
        ("from", f"{one.topic}/{one.partition}@{one.offset}"),
        ("run", one.run or "-"),
        ("path", one.path or "-"),
        ("attempt", str(one.attempt)),
        ("consumer", one.consumer),
        ("reason", one.reason),
        ("key", repr(one.key)),
        ("value", f"{len(one.value):,} bytes: {one.value[:200]!r}" if one.value is not None else "none"),
        *((f"header {name}", value[:200].decode(errors="backslashreplace")) for name, value in one.headers),
    ]
    return columns(rows) + (f"\n\n{one.stack.rstrip()}" if one.stack else "")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _first_line(text: str) -> str:
    return text.split("\n")[0][:100]
