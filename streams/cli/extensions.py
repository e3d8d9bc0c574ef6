"""Commands that other packages add, by entry points of the group `millrace.commands`.

An entry point is named like its command group and refers to a `Group`. Its module must import little, because help imports
it too.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from streams.cli.command import Command, Group, Unavailable

ENTRY_POINTS = "millrace.commands"


def groups() -> Iterator[Group | Unavailable]:
    """Yield the group of each entry point, sorted by name; a package that cannot be imported does not affect the others."""
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        yield _group(entry)


def function(command: Command) -> Callable[..., Any] | Unavailable:
    """Import the function of a command that another package adds."""
    try:
        return command.load()
    except Exception as error:  # noqa: BLE001  # the module of another package may raise anything
        return Unavailable(command.name, _described(command.function, error))


def _group(entry: EntryPoint) -> Group | Unavailable:
    try:
        group = entry.load()
    except Exception as error:  # noqa: BLE001  # the module of another package may raise anything
        return Unavailable(entry.name, _described(entry.value, error))
    if not isinstance(group, Group):
        return Unavailable(entry.name, f"{entry.value} is not a Group, but of type {type(group).__name__}")
    return group


def _described(reference: str, error: Exception) -> str:
    return f"{reference} cannot be imported ({type(error).__name__}: {error})"
