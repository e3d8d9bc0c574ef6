"""Figures of a benchmark: percentiles, ratios, and how they are printed (one JSON object a line, for people and programs)."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """Percentiles of durations, in milliseconds."""

    p50: float
    p95: float
    count: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Times":
        """The percentiles of durations in seconds."""
        ordered = sorted(seconds)
        return cls(_at(ordered, 0.50) * 1000, _at(ordered, 0.95) * 1000, len(ordered))

    @classmethod
    def of_milliseconds(cls, seconds: Sequence[float]) -> "Times":
        """The same for durations that were measured in whole milliseconds: interpolated inside the millisecond."""
        numbers = sorted(round(one * 1000) for one in seconds)
        return cls(_grouped(numbers, 0.50), _grouped(numbers, 0.95), len(numbers))


def _grouped(numbers: Sequence[int], share: float) -> float:
    """A percentile of rounded numbers: each stands for everything within half of one around it."""
    wanted = share * len(numbers)
    group = numbers[min(len(numbers) - 1, int(wanted))]
    below = sum(number < group for number in numbers)
    return group - 0.5 + (wanted - below) / numbers.count(group)


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def show(benchmark: str, **values: object) -> None:
    """Prints one line of figures; floats with three digits that count."""
    shown = {key: _rounded(value) for key, value in values.items()}
    sys.stdout.write(json.dumps({"benchmark": benchmark, **shown}) + "\n")
    sys.stdout.flush()


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.3g}")
    if isinstance(value, Times):
        return {"p50_ms": _rounded(value.p50), "p95_ms": _rounded(value.p95), "count": value.count}
    return value
