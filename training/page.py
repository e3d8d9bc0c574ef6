"""Model cards for people: a template beside the code of a part, filled with the figures of a card."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any


def fill(template: Path, values: Mapping[str, object]) -> str:
    """Read a template and replace each `${name}`. Raises KeyError for a name without a value."""
    return Template(template.read_text(encoding="utf-8")).substitute(values)


def libraries(card: Mapping[str, Any]) -> str:
    """List the libraries that made a model, with their versions."""
    return ", ".join(f"{name} {version}" for name, version in card["libraries"].items())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Draw a Markdown table."""
    return "\n".join(map(row, (head, ["---"] * len(head), *rows)))


def row(cells: Iterable[object]) -> str:
    """Draw one row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def confusion(labels: Iterable[object], counts: Iterable[Iterable[int]]) -> Iterable[str]:
    """Draw the rows of a confusion table: a label in bold and its counts, with a dot for 0."""
    return [
        row([f"**{label}**", *(count or "·" for count in line)]) for label, line in zip(labels, counts, strict=True)
    ]
