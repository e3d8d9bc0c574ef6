"""Remembering what was computed from an object, by the object's identity."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Calls `make` once for each object and keeps the newest results; the objects must not be changed meanwhile.

    By identity, because comparing a schema (a nested dict) costs more than most of what is computed from it.
    The object is kept alive beside its result, so that an identity is never reused while it is known.
    """

    def __init__(self, make: Callable[[Any], T], size: int = 4096) -> None:
        self._make = make
        self._size = size
        self._known: OrderedDict[int, tuple[Any, T]] = OrderedDict()

    def __call__(self, source: Any) -> T:
        """Return what `make` returned for this object."""
        known = self._known.get(id(source))
        if known is not None:
            return known[1]
        result = self._make(source)
        self._known[id(source)] = (source, result)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
        return result
