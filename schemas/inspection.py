"""One pass over a value from outside: the problems found so far, each with its place, and words for what was found."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.errors import Problem

Where = tuple[Any, str | int] | None
"""The place of a value: its parent's place and its own name or index; None for the whole. Made a text only for a problem."""

MOST = 100
"""Problems of one value that are listed. A list of a million wrong items has one mistake, and an answer that names each
would be many times as large as what was sent."""

_SHOWN = 60
"""Characters of a text that a message shows."""


class _Enough(Exception):
    """So much is wrong that the rest is not looked at."""


class Look:
    """The problems of one value, and what turns data URLs into refs."""

    __slots__ = ("image", "problems")

    def __init__(self, image: Callable[[str, Any], Mapping[str, Any]] | None = None) -> None:
        self.problems: list[Problem] = []
        self.image = image

    def note(self, where: Where, problem: str, hint: str = "") -> None:
        """Add a problem; the first one past MOST ends the pass."""
        if len(self.problems) >= MOST:
            self.problems.append(Problem("", f"there is more wrong; these are the first {MOST} problems"))
            raise _Enough
        self.problems.append(Problem(text(where), problem, hint))

    def take(self, check: "Check", value: Any, where: Where = None) -> Any:
        """Return the value as the check conforms it; the result is meaningless when there are problems."""
        try:
            return check(value, where, self)
        except _Enough:
            return None


Check = Callable[[Any, Where, Look], Any]
"""Returns the conforming value, or notes why there is none."""


def text(where: Where) -> str:
    """Return a place as text: `areas[0].width`."""
    parts: list[str] = []
    while where is not None:
        where, name = where
        parts.append(f"[{name}]" if isinstance(name, int) else f".{name}")
    return "".join(reversed(parts)).removeprefix(".")


def show(value: Any) -> str:
    """Describe a value for a message, shortened: `the text 'abc'`."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 2**128:
            return "a huge number"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value!r}" if len(value) <= _SHOWN else f"the text {value[:_SHOWN]!r}…"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
    return f"a value of type {type(value).__name__}"
