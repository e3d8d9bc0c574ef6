"""How a service says why it does not answer.

MillraceError
├── InvalidInput       caller: the input cannot be served; never tried again
├── RetryLater         nobody: what the service asks cannot answer now; tried again, as the node's `retry` says
└── PartUnavailable    nobody: a part of the installation does not answer; waited for, at no attempt
"""

from typing import Self

from streams.errors import Blame, MillraceError


class InvalidInput(MillraceError):
    """The input cannot be served. `where` names the field (`areas[2].width`), `hint` says what to do instead."""

    blame = Blame.CALLER

    def __init__(self, reason: str, hint: str = "", where: str = "") -> None:
        super().__init__(reason, hint, where)  # all three, so that it survives being pickled by a pool child
        self.reason = reason
        self.hint = hint
        self.where = where

    def at(self, where: str) -> Self:
        """Return the same error at a place; a place that it names already is kept."""
        return self if self.where else type(self)(self.reason, self.hint, where)

    def __str__(self) -> str:
        text = f"{self.where}: {self.reason}" if self.where else self.reason
        return f"{text} ({self.hint})" if self.hint else text


class RetryLater(MillraceError):
    """The service, or what it asks, cannot answer now: tried again, as the node's `retry` says.

    `after`: seconds that the next attempt waits at least.
    """

    blame = Blame.NOBODY

    def __init__(self, reason: str, hint: str = "", after: float = 0.0) -> None:
        super().__init__(reason, hint, after)
        self.reason = reason
        self.hint = hint
        self.after = after

    def __str__(self) -> str:
        return f"{self.reason} ({self.hint})" if self.hint else self.reason


class PartUnavailable(MillraceError):
    """A part of the installation that the service needs does not answer: no attempt is spent on it.

    The same attempt is made again until the part is back or the run is over. `part` is what the catalogue says the worker
    waits for (`postgres`); `reason` is for people who run the system, and contains no secret.
    """

    blame = Blame.NOBODY

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(part, reason)
        self.part = part
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.part} is unavailable: {self.reason}"
