"""`dead-letters`: what could not be processed: see it, and send it again."""

import asyncio
import base64
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, columns, emit, emit_list, say
from streams.cli.settings import settings
from streams.cli.timestamps import since as moment_of
from streams.timestamps import moment

if TYPE_CHECKING:
    from streams.runtime.connections.dead_letters import DeadLetter, DeadLetters, Filter

T = TypeVar("T")

Identity = Annotated[str, typer.Argument(help="The letter's id, as `list` shows it.", metavar="ID")]
Identities = Annotated[list[str] | None, typer.Argument(help="Ids, as `list` shows them.", metavar="[ID…]")]
Last = Annotated[int, typer.Option("--last", min=1, help="How many, the newest last.")]
Topic = Annotated[str, typer.Option("--topic", help="Only those whose topic has this in its name.")]
Consumer = Annotated[str, typer.Option("--consumer", help="Only those that this service or agent gave up.")]
OfRun = Annotated[str, typer.Option("--run", help="Only those of this run.")]
Reason = Annotated[str, typer.Option("--reason", help="Only those whose reason has this in it.")]
Since = Annotated[
    str, typer.Option("--since", help="Only those given up since then: 2026-11-21T10:00, or 30m, 6h, 2d ago.")
]
All = Annotated[bool, typer.Option("--all", help="Every one that was not sent again yet.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say which.")]
Raw = Annotated[bool, typer.Option("--raw", help="Only the record's value, byte for byte.")]


def listing(
    last: Last = 50,
    topic: Topic = "",
    consumer: Consumer = "",
    run: OfRun = "",
    reason: Reason = "",
    since: Since = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """List dead letters, the newest last; those that were sent again are marked."""
    wanted = _filter(topic, consumer, run, reason, since)

    async def read(letters: "DeadLetters") -> "list[DeadLetter]":
        return await letters.newest(wanted, last)

    dead = _with(read)
    documents = (_document(letter, whole=False) for letter in dead)
    rows = (
        (
            letter.id,
            moment(letter.at),
            letter.topic,
            letter.run or "-",
            "yes" if letter.resent else "",
            _first_line(letter.reason),
        )
        for letter in dead
    )
    empty = "there are no dead letters" + (" of that kind" if wanted else "")
    emit_list(output, documents, ("ID", "AT", "TOPIC", "RUN", "RESENT", "REASON"), rows, empty)


def show(identity: Identity, raw: Raw = False, output: OutputOption = Output.TEXT) -> None:
    """Show one dead letter: where it stood, why it was given up, its headers and its bytes."""
    letter = _with(lambda letters: letters.show(identity))
    if raw:
        sys.stdout.buffer.write(letter.value or b"")
        return
    emit(output, _document(letter, whole=True), lambda: _text(letter))


def resend(
    identities: Identities = None,
    topic: Topic = "",
    consumer: Consumer = "",
    run: OfRun = "",
    reason: Reason = "",
    since: Since = "",
    everything: All = False,
    dry_run: DryRun = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Send dead letters again to the topics where they stood, as they were: by id, or those that a filter takes.

    They stay in the list, marked; a filter passes over those that were sent again already. What belongs to a run that is over
    does not bring it back: `millrace replay` does.
    """
    wanted = _filter(topic, consumer, run, reason, since)
    if bool(identities) == bool(wanted or everything):
        raise Failed(Exit.USAGE, "say either ids, or a filter (--topic, --consumer, --run, --reason, --since, --all)")

    async def send(letters: "DeadLetters") -> "list[DeadLetter]":
        if dry_run:
            chosen = [letter async for letter in letters.read(wanted) if not letter.resent]
            return [await letters.show(letter) for letter in identities] if identities else chosen
        if identities:
            return [await letters.resend(identity) for identity in identities]
        return [letter async for letter in letters.resend_all(wanted)]

    resent = _with(send)
    for letter in resent:
        emit(output, {"id": letter.id, "topic": letter.topic, "run": letter.run}, f"{letter.id} → {letter.topic}")
    say(f"millrace: {len(resent)} {'would be sent' if dry_run else 'sent'} again")


def _filter(topic: str, consumer: str, run: str, reason: str, since: str) -> "Filter":
    from streams.runtime.connections.dead_letters import Filter

    return Filter(
        topic=topic,
        consumer=consumer,
        run=run,
        reason=reason,
        since=moment_of("--since", since).timestamp() if since else None,
    )


def _with(act: "Callable[[DeadLetters], Awaitable[T]]") -> T:
    """Return what `act` returns for the dead letters of this installation."""
    return asyncio.run(_connected(act))


async def _connected(act: "Callable[[DeadLetters], Awaitable[T]]") -> T:
    from schemas.errors import RegistryUnavailable, SchemasError
    from streams.runtime.catalogue.apply import connected
    from streams.runtime.connections.dead_letters import DeadLetters
    from streams.runtime.errors import Missing, Unavailable

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        async with connected(settings(), "millrace-cli") as parts:
            return await act(DeadLetters(parts))
    except (Unavailable, RegistryUnavailable) as error:
        raise Failed(Exit.UNAVAILABLE, f"{error}; start the system with `make run`") from error
    except Missing as error:
        raise Failed(Exit.UNKNOWN, str(error)) from error
    except SchemasError as error:
        raise Failed(Exit.FAULT, str(error)) from error


def _document(letter: "DeadLetter", *, whole: bool) -> dict[str, Any]:
    document = letter.document()
    if whole:
        document["headers"] = [{"name": name, "value": _readable(value)} for name, value in letter.headers]
        document["key"] = _readable(letter.key)
        document["value_base64"] = base64.b64encode(letter.value).decode() if letter.value is not None else None
        document["stack"] = letter.stack
    return document


def _text(letter: "DeadLetter") -> str:
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


def _first_line(text: str) -> str:
    return text.split("\n")[0][:100]
