"""Refused: what a caller sent cannot be served. Never tried again, always explained."""

from typing import Self

from streams.errors import MillraceError


class Refused(MillraceError):
    """The caller's fault. `where` names the input (`areas[2].width`), `hint` says what to do instead."""

    def __init__(self, reason: str, hint: str = "", where: str = "") -> None:
        super().__init__(reason, hint, where)  # all three, so that it survives being pickled by a pool child
        self.reason = reason
        self.hint = hint
        self.where = where

    def at(self, where: str) -> Self:
        """The same refusal, said of a place; a place it names already is kept."""
        return self if self.where else type(self)(self.reason, self.hint, where)

    def __str__(self) -> str:
        text = f"{self.where}: {self.reason}" if self.where else self.reason
        return f"{text} ({self.hint})" if self.hint else text
