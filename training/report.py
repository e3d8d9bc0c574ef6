"""How far a training is: for people as lines, for programs as JSON lines."""

import json
import sys
from collections.abc import Callable
from typing import Any, TextIO


class Report:
    """Where a training says how far it is. Give `heard` to hear of each epoch as well."""

    def __init__(self, part: str, *, programs: bool = False, to: TextIO | None = None) -> None:
        """`programs`: one JSON object a line, with `kind` `text`, `epoch` or `end`; else lines for people."""
        self.heard: Callable[[int, dict[str, float]], None] = lambda _epoch, _figures: None
        self._part = part
        self._programs = programs
        self._to = to or sys.stdout

    def say(self, text: str) -> None:
        """Something that people may want to know, in one line."""
        self._write("text", text, text=text)

    def epoch(self, epoch: int, of: int, **figures: float) -> None:
        """One epoch is over; `epoch` counts from 1. Figures such as `loss`, `validation` (accuracy, 0 to 1) and `seconds`."""
        self.heard(epoch, figures)  # first: who reads the line may end this process
        text = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self._write("epoch", f"epoch {epoch} of {of}: {text}", epoch=epoch, epochs=of, **figures)

    def end(self, text: str, **outcome: Any) -> None:
        """Everything is done; the last thing that is said."""
        self._write("end", text, text=text, **outcome)

    def _write(self, kind: str, line: str, **values: Any) -> None:
        line = json.dumps({"kind": kind, **values}) if self._programs else f"{self._part}: {line}"
        self._to.write(line + "\n")
        self._to.flush()
