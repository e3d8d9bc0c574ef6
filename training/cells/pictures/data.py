"""Blood cells from the data catalogue: BCCD originals to learn from, and pictures that are only measured on."""

import csv
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agents.cells.types import CellType
from agents.imaging.area import Box
from streams.datasets.catalogue import entry
from streams.datasets.download import fetch

BCCD = "blood-cells/bccd"
"""Folder in the data catalogue: whole fields, the only pictures that are learned from."""

AUGMENTED, TECOM = "blood-cells/bccd-augmented", "blood-cells/tecom"
"""Folders without a licence file, and under GPL-3.0: measured on, never learned from."""


@dataclass(frozen=True)
class Smear:
    """One picture."""

    name: str
    data: bytes
    """Content of the file."""
    label: CellType
    original: str
    """Name of the original that it was derived from; its own name for an original."""
    box: Box | None = None
    """Box of the white cell, drawn by a person; None without one."""


def learned_from(folder: Path) -> list[Smear]:
    """Read the training originals with a box. Raises DataError.

    Of the eight without one, three are not in the repository that is under the MIT licence, and the lists do not say which.
    """
    return [original for original in originals(folder, "train") if original.box is not None]


def originals(folder: Path, split: str) -> list[Smear]:
    """Read the BCCD originals of `train` or `test`. Raises DataError."""
    return [data for row, data in _read(folder, BCCD, "images.tar") if row["split"] == split]


def augmented(folder: Path) -> list[Smear]:
    """Read the augmented copies of the test originals. Raises DataError."""
    return [data for _, data in _read(folder, AUGMENTED, "test.tar", "test")]


def tecom(folder: Path) -> list[Smear]:
    """Read all pictures of the other microscope, none of which was learned from. Raises DataError."""
    return [data for _, data in _read(folder, TECOM, "images.tar")]


def _read(folder: Path, part: str, tar: str, split: str = "") -> Iterator[tuple[dict[str, str], Smear]]:
    """Yield the rows of a list with their pictures; of one split if the archive has only that."""
    labels, files = (fetch(entry(f"{part}/{name}"), folder).path for name in ("labels.csv", tar))
    with labels.open(encoding="utf-8", newline="") as text, tarfile.open(files) as archive:
        for row in csv.DictReader(text):
            if split in ("", row["split"]):
                member = archive.extractfile(row["filename"])
                assert member is not None, "lists name files"
                original = row.get("original", row["filename"])
                yield row, Smear(row["filename"], member.read(), CellType(row["label"]), original, _box(row))


def _box(row: dict[str, str]) -> Box | None:
    if not row.get("xmin"):
        return None
    return int(row["xmin"]), int(row["ymin"]), int(row["xmax"]), int(row["ymax"])
