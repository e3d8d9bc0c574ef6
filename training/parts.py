"""The models that the project trains. A new one is a folder of its own, and a line here."""

from collections.abc import Callable, Mapping
from pathlib import Path

from training.cells.part import CELLS
from training.digits.part import DIGITS
from training.loan.part import LOAN
from training.part import Part
from training.report import Report

PARTS: Mapping[str, Part] = {part.name: part for part in (DIGITS, CELLS, LOAN)}


def _faces(data: Path, top: Path, report: Report) -> None:
    from training.faces.run import run

    run(data, top, lambda text: report.say(text.removeprefix("faces: ")))


MEASURED: Mapping[str, Callable[[Path, Path, Report], None]] = {"faces": _faces}
"""Third-party models, which are only measured here, on a data directory; their cards are written below the top of a repository."""
