"""Progress of a training: lines for people, JSON lines for programs."""

import json
import sys
from collections.abc import Callable
from typing import Any, TextIO


class Report:
    """Reports progress. `heard` is called for each epoch as well."""

    def __init__(self, part: str, *, programs: bool = False, to: TextIO | None = None) -> None:
        """With `programs`, write one JSON object per line with `kind` `text`, `epoch` or `end`; else lines for people."""
        self.heard: Callable[[int, dict[str, float]], None] = lambda _epoch, _figures: None
        self._part = part
        self._programs = programs
        self._to = to or sys.stdout

    def say(self, text: str) -> None:
        """Report a line of text."""
        self._write("text", text, text=text)

    def epoch(self, epoch: int, of: int, **figures: float) -> None:
        """Report the end of an epoch, counted from 1, with figures such as `loss`, `validation` (accuracy, 0 to 1) and `seconds`."""
        self.heard(epoch, figures)  # before the line is written: its reader may end this process
        text = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self._write("epoch", f"epoch {epoch} of {of}: {text}", epoch=epoch, epochs=of, **figures)

    def end(self, text: str, **outcome: Any) -> None:
        """Report the outcome. Call it last."""
        self._write("end", text, text=text, **outcome)

    def _write(self, kind: str, line: str, **values: Any) -> None:
        line = json.dumps({"kind": kind, **values}) if self._programs else f"{self._part}: {line}"
        self._to.write(line + "\n")
        self._to.flush()
