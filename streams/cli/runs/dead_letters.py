"""`dead-letters`: what could not be processed: see it, and send it again."""

import sys
from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, emit, emit_list, say
from streams.timestamps import moment

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
    from streams.cli.runs import letters

    wanted = letters.selection(topic, consumer, run, reason, since)
    dead = letters.on(lambda stored: stored.newest(wanted, last))
    documents = (letter.document() for letter in dead)
    rows = (
        (
            letter.id,
            moment(letter.at),
            letter.topic,
            letter.run or "-",
            "yes" if letter.resent else "",
            letter.reason.split("\n")[0][:100],
        )
        for letter in dead
    )
    empty = "there are no dead letters" + (" of that kind" if wanted else "")
    emit_list(output, documents, ("ID", "AT", "TOPIC", "RUN", "RESENT", "REASON"), rows, empty)


def show(identity: Identity, raw: Raw = False, output: OutputOption = Output.TEXT) -> None:
    """Show one dead letter: where it stood, why it was given up, its headers and its bytes."""
    from streams.cli.runs import letters

    letter = letters.on(lambda stored: stored.show(identity))
    if raw:
        sys.stdout.buffer.write(letter.value or b"")
        return
    emit(output, letters.document(letter), lambda: letters.text(letter))


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
    from streams.cli.runs import letters
    from streams.runtime.connections.dead_letters import DeadLetter, DeadLetters

    wanted = letters.selection(topic, consumer, run, reason, since)
    if bool(identities) == bool(wanted or everything):
        raise Failed(Exit.USAGE, "say either ids, or a filter (--topic, --consumer, --run, --reason, --since, --all)")

    async def send(stored: DeadLetters) -> list[DeadLetter]:
        if dry_run:
            chosen = [letter async for letter in stored.read(wanted) if not letter.resent]
            return [await stored.show(letter) for letter in identities] if identities else chosen
        if identities:
            return [await stored.resend(identity) for identity in identities]
        return [letter async for letter in stored.resend_all(wanted)]

    resent = letters.on(send)
    for letter in resent:
        emit(output, {"id": letter.id, "topic": letter.topic, "run": letter.run}, f"{letter.id} → {letter.topic}")
    say(f"millrace: {len(resent)} {'would be sent' if dry_run else 'sent'} again")
