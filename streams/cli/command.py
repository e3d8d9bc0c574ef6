"""A command of `millrace`, and a group of them, as help shows them."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from streams.cli.exits import Exit, Failed


@dataclass(frozen=True)
class Command:
    """One command."""

    name: str
    function: str
    """`module:function`, imported only when the command runs: importing takes longer than most commands."""
    short: str
    examples: tuple[str, ...]

    def load(self) -> Callable[..., Any]:
        """Import and return the function. Raises whatever its module raises."""
        module, _, name = self.function.partition(":")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function


@dataclass(frozen=True)
class Group:
    """Commands under one name: `millrace data fetch` is the command `fetch` of the group `data`."""

    name: str
    short: str
    commands: tuple[Command, ...]


@dataclass(frozen=True)
class Unavailable:
    """A command or group that cannot be imported; `error` says why."""

    name: str
    error: str

    def fail(self) -> None:
        """Run in place of the command. Raises Failed."""
        raise Failed(Exit.FAULT, f"the command {self.name!r} is unavailable: {self.error}")
