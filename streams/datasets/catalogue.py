"""The data catalogue (`data_catalogue.csv`): every public file that the project uses, by URL, hash, size and licence."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Entry:
    """One file."""

    name: str
    """Its path in the data directory."""
    size: int
    """Bytes."""
    sha256: str
    url: str
    """Where its maker publishes it; empty when it is made from something else."""
    licence: str
    """What the source states; not legal advice."""
    made_from: str
    """How to make it, where it is not published as it is; else empty."""
    unpacked: str = ""
    """Of a gzip file, the SHA-256 of what is in it: the same content packed otherwise is as good. Else empty."""


@cache
def catalogue() -> tuple[Entry, ...]:
    """Every entry, sorted by name."""
    text = resources.files("streams.datasets").joinpath("catalogue.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(Entry(**{**row, "size": int(row["size"])}) for row in rows)  # type: ignore[arg-type]  # the other columns are text


@cache
def entry(name: str) -> Entry:
    """The entry of this name. Raises KeyError."""
    return {candidate.name: candidate for candidate in catalogue()}[name]
