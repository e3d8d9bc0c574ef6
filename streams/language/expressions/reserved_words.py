"""Finds the names in the text of an expression: not in strings, comments or numbers, not as fields, not as functions."""

import re
from collections.abc import Callable, Iterator

_RAW = r"""(?:[rR][bB]?|[bB][rR])(?:'''.*?'''|\"\"\".*?\"\"\"|'[^']*'|"[^"]*")"""
_ESCAPED = r"""[bB]?(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
STRING = f"(?:{_RAW}|{_ESCAPED})"
"""A string literal of CEL, as a pattern for `re.DOTALL`."""

_TOKEN = re.compile(rf"{STRING}|//[^\n]*|\d[\w.]*|(?P<dot>\.\s*)?(?P<word>[A-Za-z_]\w*)(?P<call>\s*\()?", re.DOTALL)


def names(text: str) -> Iterator[re.Match[str]]:
    """Yield every place where a name may be that of a value; the group `word` is the name."""
    return (word for word in _TOKEN.finditer(text) if word["word"] and not word["dot"] and not word["call"])


def position(text: str, name: str) -> int:
    """Return where a name occurs first (characters from the start); 0 when it does not."""
    return next((word.start("word") for word in names(text) if word["word"] == name), 0)


def rename(text: str, new: Callable[[str], str]) -> str:
    """Return the text with each name replaced by what `new` returns for it."""
    renamed, at = [], 0
    for word in names(text):
        renamed += [text[at : word.start("word")], new(word["word"])]
        at = word.end("word")
    return "".join((*renamed, text[at:]))
