"""What is known of the faces in the photos of the data set `faces`: how many, where, and whose."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streams.datasets.download import fetch, select

Box = tuple[float, float, float, float]
"""Left, top, width, height, in pixels."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Photo:
    """One photo. Its faces are marked by boxes, or by the tips of their noses, or not at all."""

    name: str
    path: Path
    faces: int
    men: int | None
    """As they appear to who counted them; None where nobody did."""
    women: int | None
    boxes: tuple[Box, ...]
    noses: tuple[Point, ...]

    @property
    def marked(self) -> bool:
        """Whether it is known where its faces are (which is so for a photo of none)."""
        return len(self.boxes) + len(self.noses) == self.faces


def photos(folder: Path) -> tuple[Photo, ...]:
    """Read the photos and what is known of them from the data directory. Raises DataError."""
    paths = {entry.name.rpartition("/")[2]: fetch(entry, folder).path for entry in select(["faces"])}
    marks = _rows(paths["annotations.csv"])
    return tuple(_photo(row, paths[row["file"]], marks) for row in _rows(paths["photos.csv"]))


def _photo(row: Mapping[str, str], path: Path, marks: list[dict[str, str]]) -> Photo:
    mine = [mark for mark in marks if mark["file"] == row["file"]]
    return Photo(
        name=row["file"],
        path=path,
        faces=int(row["n_faces"]),
        men=int(row["men"]) if row["men"] else None,
        women=int(row["women"]) if row["women"] else None,
        boxes=tuple(
            (float(line["x"]), float(line["y"]), float(line["w"]), float(line["h"]))
            for line in mine
            if line["kind"] == "box"
        ),
        noses=tuple((float(line["x"]), float(line["y"])) for line in mine if line["kind"] == "nose"),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
