"""`xs.map(…)` and `xs.filter(…)` over long lists, a piece at a time: CEL copies what it has made so far at every item."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from streams.language.expressions import reserved_words

PIECE = 256
"""Items that are gone through at once; shorter lists are left to CEL as they are."""
ITEMS = "_items"
"""What stands for the list in the calls that go through it."""

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_CALL = re.compile(r"\.(?:map|filter)\(")
_STRING = re.compile(reserved_words.STRING, re.DOTALL)
_TAIL = re.compile(rf"\.size\(\)|\.join\((?:{reserved_words.STRING})?\)", re.DOTALL)


@dataclass(frozen=True)
class Chain:
    """A list by its path, and the calls that go through it one after another (`_items.map(…)`)."""

    path: tuple[str, ...]
    calls: tuple[str, ...]
    tail: str = ""
    """What is made of the last list (`_items.size()`); empty when it is the list itself."""


@lru_cache(maxsize=8192)
def chain(text: str) -> Chain | None:
    """Split `a.b.filter(x, …).map(x, …)` into its path and calls, and `.size()` or `.join(…)` behind it; None for any other expression."""
    text = text.strip()
    begin = _CALL.search(text)
    if begin is None or not _PATH.fullmatch(text, 0, begin.start()):
        return None
    calls: list[str] = []
    at = begin.start()
    while at < len(text):
        if calls and _TAIL.fullmatch(text, at):
            return Chain(tuple(text[: begin.start()].split(".")), tuple(calls), f"{ITEMS}{text[at:]}")
        opened = _CALL.match(text, at)
        end = _closed(text, opened.end()) if opened else None
        if end is None:
            return None
        calls.append(f"{ITEMS}{text[at:end]}")
        at = end
    return Chain(tuple(text[: begin.start()].split(".")), tuple(calls))


def long(chain: Chain, values: Mapping[str, Any]) -> list[Any] | None:
    """Return the list that a chain begins with; None unless it has more than PIECE items."""
    value: Any = values
    for part in chain.path:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value if isinstance(value, list) and len(value) > PIECE else None


def pieces(items: list[Any]) -> list[list[Any]]:
    """Cut the list into pieces of at most PIECE items."""
    return [items[at : at + PIECE] for at in range(0, len(items), PIECE)]


def _closed(text: str, at: int) -> int | None:
    """Return the position behind the parenthesis that closes the one before `at`."""
    depth = 1
    while at < len(text):
        string = _STRING.match(text, at)
        if string:
            at = string.end()
            continue
        depth += (text[at] in "([{") - (text[at] in ")]}")
        at += 1
        if depth == 0:
            return at
    return None
