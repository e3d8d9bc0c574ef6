"""Results go to stdout, as text or as one JSON object a line; everything else goes to stderr."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer


class Output(StrEnum):
    """The form of results."""

    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", help="How results are printed; json: one object a line.")]

JsonOption = Annotated[bool, typer.Option("--json", help="The same as --output json.")]


def say(text: str) -> None:
    """Print a message for people on stderr."""
    print(text, file=sys.stderr, flush=True)


def emit(output: Output, value: Mapping[str, Any], text: str | Callable[[], str]) -> None:
    """Print one result in the chosen form."""
    if output is Output.JSON:
        print(json.dumps(value, ensure_ascii=False, default=str), flush=True)
    else:
        print(text if isinstance(text, str) else text(), flush=True)


def emit_list(
    output: Output,
    documents: Iterable[Mapping[str, Any]],
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    empty: str,
) -> None:
    """Print a list in the chosen form: its documents, one JSON object a line, or its rows as a table with the titles `head`.

    An empty list prints nothing as JSON, and as text only the sentence `empty`, on stderr. Of documents and rows, only those
    that are printed are read.
    """
    if output is Output.JSON:
        for document in documents:
            emit(output, document, "")
        return
    cells = list(rows)
    if cells:
        print(columns(cells, head), flush=True)
    else:
        say(f"millrace: {empty}")


def columns(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Align rows in columns; at a terminal, lines that do not fit are cut with `…`."""
    lines = [list(head), *map(list, rows)] if head else [list(row) for row in rows]
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    widths[-1] = 0
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    rows_of_cells = (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return "\n".join(_fitted(line, room) for line in rows_of_cells)


def _fitted(line: str, room: int) -> str:
    return line if not room or len(line) <= room else f"{line[: room - 1]}…"


def problems(problems: Iterable[Any]) -> None:
    """Print problems on stderr, one per line: file:line:column: where: problem (hint)."""
    for problem in problems:
        say(str(problem))


def counted(number: int) -> str:
    """Write a number of problems: `1 problem`, `2 problems`."""
    return f"{number} problem{'' if number == 1 else 's'}"
