"""Finds the place in the file of a character of a YAML string: past quotes, escapes, folded lines and indentation."""

_ESCAPED = {"n": "\n", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "r": "\r", "v": "\v"}


def locate(lines: list[str], line: int, column: int, value: str, offset: int) -> tuple[int, int]:
    """Return line and column (from 1) of `value[offset]`, for a scalar that begins at this line and column."""
    row, at = line - 1, column - 1
    quote = lines[row][at : at + 1]
    if quote in ("|", ">"):
        row, at = row + 1, 0
    elif quote in ("'", '"'):
        at += 1
    for wanted in value[:offset]:
        row, at = _locate(lines, row, at, wanted)
        doubled = quote == wanted == "'" and row < len(lines) and lines[row][at : at + 2] == "''"
        row, at = (row, at + 2) if doubled else _past(lines, row, at, wanted)
    row, at = _locate(lines, row, at, value[offset : offset + 1])
    return row + 1, at + 1


def _locate(lines: list[str], row: int, at: int, wanted: str) -> tuple[int, int]:
    """Return the row and column (from 0) where this character of the value is written, from here on."""
    while row < len(lines):
        text = lines[row]
        if at < len(text):
            if text[at] == "\\" and _ESCAPED.get(text[at + 1 : at + 2], text[at + 1 : at + 2]) == wanted:
                return row, at
            if text[at] == wanted or not wanted:
                return row, at
            at += 1
        elif wanted in (" ", "\n") or row + 1 == len(lines):
            return row, at  # a line's end stands for a space where lines are folded
        else:
            row, at = row + 1, 0
    return row, at


def _past(lines: list[str], row: int, at: int, wanted: str) -> tuple[int, int]:
    """Return the row and column behind a character that was found there."""
    text = lines[row] if row < len(lines) else ""
    if at >= len(text):
        return row + 1, 0
    if text[at] == "\\" and text[at] != wanted:
        return row, at + 2
    return row, at + 1
