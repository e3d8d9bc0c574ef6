"""The data catalogue (`data_catalogue.csv`): every public file that the project uses, by URL, hash, size and licence."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Entry:
    """One public file."""

    name: str
    """Path in the data directory."""
    size: int
    """Size in bytes."""
    sha256: str
    url: str
    """URL where its author publishes it; empty if it is derived from something else."""
    licence: str
    """The licence that the source states; not legal advice."""
    made_from: str
    """How to derive it; empty if it is published in this form."""
    unpacked: str = ""
    """SHA-256 of a gzip file's content, because the same content may be compressed differently; else empty."""


@cache
def catalogue() -> tuple[Entry, ...]:
    """Read every entry, sorted by name."""
    text = resources.files("streams.datasets").joinpath("catalogue.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(Entry(**{**row, "size": int(row["size"])}) for row in rows)  # type: ignore[arg-type]  # the other columns are text


@cache
def entry(name: str) -> Entry:
    """Return the entry of this name. Raises KeyError."""
    return {candidate.name: candidate for candidate in catalogue()}[name]
