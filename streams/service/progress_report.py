"""How far a call is: what a service reports while it works."""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

LONGEST = 500
"""Characters of a text; what is longer is cut."""
LARGEST = 16 * 1024
"""Bytes of the figures as JSON."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of a call's progress."""

    text: str = ""
    done: float | None = None
    """The share of the work that is done, from 0 to 1; None when nobody knows."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    """Which report of its call it is, from 1."""

    def to_data(self) -> dict[str, Any]:
        """Return the data of a `node.progress` event."""
        data: dict[str, Any] = {"number": self.number}
        if self.text:
            data["text"] = self.text
        if self.done is not None:
            data["done"] = self.done
        if self.figures:
            data["figures"] = dict(self.figures)
        return data


def progress(text: str, done: float | None, figures: Mapping[str, Any]) -> Progress:
    """Return a checked report: its figures are JSON, and a number that is not finite is null.

    Raises TypeError for a figure that is not JSON, and ValueError for more than LARGEST bytes of them.
    """
    share = None if done is None or math.isnan(done) else min(1.0, max(0.0, float(done)))
    encoded = msgspec.json.encode(dict(figures), enc_hook=_number)
    if len(encoded) > LARGEST:
        raise ValueError(f"the figures of a progress are {len(encoded)} bytes of JSON, and {LARGEST} are the most")
    return Progress(str(text)[:LONGEST], share, msgspec.json.decode(encoded))


def _number(value: Any) -> int | float:
    """Convert numbers of other libraries. Raises TypeError for anything else."""
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"a figure of a progress is what JSON can carry, and {type(value).__name__} is not")
