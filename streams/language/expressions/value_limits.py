"""How large a value may be that expressions compute, and how much a walk may compute in all: CEL bounds neither."""

from collections.abc import Iterable, Mapping
from typing import Any

from streams.errors import EvaluationError

LARGEST = 1 << 24
"""Characters that one computed value may have; whatever is no text counts as PART of them."""
PART = 8
WORK = 1 << 26
"""Units of price (`price`) that one expression may take: some 0.6 s, in which nothing else of its process moves."""
BUDGET = 1 << 27
"""Units that a walk may take in all: a character that is read, made, kept or sent is one."""
STEP = 1000
"""Units of a node or a round."""

_SINGLE = frozenset({int, float, bool, type(None)})
_WORTH = 1000
"""Units of a value whose size is remembered."""

TOO_LARGE = f"this gives more than the {LARGEST:,} characters that a value may have"
TOO_MUCH = f"this may take more than the {WORK:,} units of work that an expression may"
SPENT = f"more than {BUDGET:,} units of work in a row without a service"
_HINT = "hand large things on as objects, and lists to each"
_LESS = "let it read less, or go through a list with each"


class Sizes:
    """Sizes of values that do not change while this lives; those of large lists and mappings are remembered."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, int]] = {}  # with the value: what is still there keeps its id

    def of(self, value: Any) -> int:
        """Return the size of a value. Raises RecursionError for one that is nested too deep."""
        kind = type(value)
        if kind is str or kind is bytes:
            return PART + len(value)
        if kind in _SINGLE:
            return PART
        if kind is list or kind is tuple:
            parts: Iterable[Any] = value
        elif kind is dict or isinstance(value, Mapping):
            parts = value.values()
        else:
            return PART
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        size = PART + sum(map(self.of, parts))
        if size > _WORTH:
            self._known[id(value)] = (value, size)
        return size


class Budget:
    """What a walk may still take. Once all is spent, the walk is over."""

    __slots__ = ("left", "sizes")

    def __init__(self) -> None:
        self.left: float = BUDGET
        self.sizes = Sizes()

    @property
    def spent(self) -> float:
        """The amount that was taken so far."""
        return BUDGET - self.left

    def spend(self, units: float) -> None:
        """Take this amount, even if less is left."""
        self.left -= units

    def take(self, units: float) -> None:
        """Take this amount. Raises EvaluationError if less is left."""
        self.left -= units
        if self.left < 0:
            raise EvaluationError(SPENT, _LESS)


class Room:
    """What is left for the parts of one value, and for the walk that computes it."""

    __slots__ = ("budget", "left")

    def __init__(self, budget: Budget | None = None) -> None:
        self.left = LARGEST
        self.budget = budget or Budget()

    def take(self, size: int) -> None:
        """Take this amount. Raises EvaluationError if less is left."""
        self.left -= size
        if self.left < 0:
            raise too_large()


def too_large(text: str = "") -> EvaluationError:
    """Return the error for a value that is too large; `text` is the expression that returned it."""
    return EvaluationError(f"{text}: {TOO_LARGE}" if text else TOO_LARGE, _HINT)


def too_much(text: str) -> EvaluationError:
    """Return the error for an expression that would take too long."""
    return EvaluationError(f"{text}: {TOO_MUCH}", _LESS)
