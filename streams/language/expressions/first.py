"""`first(a, b, …)`: the first operand that was not skipped. Our syntax, rewritten before CEL sees it."""

import re
from dataclasses import dataclass

from streams.errors import Blame, MillraceError
from streams.language.expressions import reserved_words

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRING = re.compile(reserved_words.STRING, re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"


class BadFirst(MillraceError, ValueError):
    """`first(…)` is not written as it must be; `offset` counts characters from the expression's start."""

    blame = Blame.AUTHOR

    def __init__(self, message: str, offset: int) -> None:
        self.offset = offset
        super().__init__(message)


@dataclass(frozen=True)
class Expanded:
    """An expression without `first`: each one became a chain of ternaries over markers that say which operand is there."""

    text: str
    markers: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    """(offset in `text`, offset in the original) where each copied piece begins, ascending."""

    def original(self, offset: int) -> int:
        """Return the offset (characters) in what the author wrote."""
        start, origin = max((pair for pair in self.offsets if pair[0] <= offset), default=(0, 0))
        return origin + offset - start


def expand(text: str) -> Expanded:
    """Rewrite every `first(a, b, c)` to `(_first0 ? (a) : (_first1 ? (b) : (c)))`. Raises BadFirst."""
    if "first" not in text:
        return Expanded(text, (), ((0, 0),))
    work = _Expansion(text)
    work.copy(0, len(text))
    return Expanded("".join(work.out), tuple(work.markers), tuple(work.offsets))


class _Expansion:
    def __init__(self, text: str) -> None:
        self.text = text
        self.out: list[str] = []
        self.length = 0
        self.markers: list[str] = []
        self.offsets: list[tuple[int, int]] = []

    def emit(self, piece: str, origin: int | None = None) -> None:
        if origin is not None:
            self.offsets.append((self.length, origin))
        self.out.append(piece)
        self.length += len(piece)

    def copy(self, start: int, end: int) -> None:
        """Copy the original from start to end, expanding on the way."""
        at = since = start
        while at < end:
            string = _STRING.match(self.text, at)
            word = None if string else _WORD.match(self.text, at)
            if string:
                at = string.end()
            elif word:
                opened = self._opening(word, at)
                if opened is None:
                    at = word.end()
                    continue
                self.emit(self.text[since:at], since)
                at = since = self._first(at, opened)
            else:
                at += 1
        self.emit(self.text[since:end], since)

    def _opening(self, word: re.Match[str], at: int) -> int | None:
        """Return where the parenthesis of a call of `first` opens, or None when this word is not such a call."""
        if word.group() != "first" or self.text[:at].rstrip().endswith("."):
            return None
        after = word.end()
        while after < len(self.text) and self.text[after].isspace():
            after += 1
        return after if self.text[after : after + 1] == "(" else None

    def _first(self, at: int, opened: int) -> int:
        operands, end = self._operands(at, opened)
        for start, stop in operands[:-1]:
            marker = f"_first{len(self.markers)}"
            self.markers.append(marker)
            self.emit(f"({marker} ? (")
            self.copy(start, stop)
            self.emit(") : ")
        self.emit("(")
        self.copy(*operands[-1])
        self.emit(")" * len(operands))
        return end

    def _operands(self, at: int, opened: int) -> tuple[list[tuple[int, int]], int]:
        operands: list[tuple[int, int]] = []
        depth, start, position = 0, opened + 1, opened
        while position < len(self.text):
            string = _STRING.match(self.text, position)
            if string:
                position = string.end()
                continue
            character = self.text[position]
            depth += (character in _OPEN) - (character in _CLOSE)
            if depth == 0 or (depth == 1 and character == ","):
                operands.append((start, position))
                start = position + 1
            if depth == 0:
                if len(operands) < 2 or not all(self.text[a:b].strip() for a, b in operands):
                    raise BadFirst("first() needs two operands or more", at)
                return operands, position + 1
            position += 1
        raise BadFirst("first( is never closed", at)
