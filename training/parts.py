"""The models that the project trains. One that joins is a folder of its own, and a line here."""

from collections.abc import Callable, Mapping
from pathlib import Path

from training.part import Part
from training.report import Report


def _digits() -> Part:
    from training.digits.part import DIGITS

    return DIGITS


def _cells() -> Part:
    from training.cells.part import CELLS

    return CELLS


def _loan() -> Part:
    from training.loan.part import LOAN

    return LOAN


PARTS: Mapping[str, Callable[[], Part]] = {"digits": _digits, "cells": _cells, "loan": _loan}
"""By name; each imports what it needs when it is called, and TensorFlow not before it trains."""


def _faces(data: Path, top: Path, report: Report) -> None:
    from training.faces.run import run

    run(data, top, lambda text: report.say(text.removeprefix("faces: ")))


MEASURED: Mapping[str, Callable[[Path, Path, Report], None]] = {"faces": _faces}
"""Models of others, which are not trained here: their cards are written from a data directory, below the top of a repository."""
