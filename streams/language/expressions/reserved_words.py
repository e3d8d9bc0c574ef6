"""Finds the names in the text of an expression: not in strings, comments or numbers, not as fields, not as functions."""

import re
from collections.abc import Callable, Iterator

_RAW = r"""(?:[rR][bB]?|[bB][rR])(?:'''.*?'''|\"\"\".*?\"\"\"|'[^']*'|"[^"]*")"""
_ESCAPED = r"""[bB]?(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
STRING = f"(?:{_RAW}|{_ESCAPED})"
"""A string literal of CEL, as a pattern for `re.DOTALL`."""

_TOKEN = re.compile(rf"{STRING}|//[^\n]*|\d[\w.]*|(?P<dot>\.\s*)?(?P<word>[A-Za-z_]\w*)(?P<call>\s*\()?", re.DOTALL)


def names(text: str) -> Iterator[re.Match[str]]:
    """Every place where a name may stand for a value; the group `word` is the name."""
    return (word for word in _TOKEN.finditer(text) if word["word"] and not word["dot"] and not word["call"])


def position(text: str, name: str) -> int:
    """Where a name stands first (characters from the start); 0 when it does not."""
    return next((found.start("word") for found in names(text) if found["word"] == name), 0)


def rename(text: str, new: Callable[[str], str]) -> str:
    """The text with other names."""
    made, at = [], 0
    for found in names(text):
        made += [text[at : found.start("word")], new(found["word"])]
        at = found.end("word")
    return "".join((*made, text[at:]))
