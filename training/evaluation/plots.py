"""Plots of a training as PNG: its course, confusion table and shares."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

_DOTS = 110
"""Dots per inch."""


def course(curves: Mapping[str, Sequence[float]]) -> bytes:
    """Plot curves over the epochs, one below another; all have the same number of values, at least one."""
    figure = Figure(figsize=(6, 2.4 * len(curves)), layout="constrained")
    epochs = range(1, len(next(iter(curves.values()))) + 1)
    rows = figure.subplots(len(curves), squeeze=False)[:, 0]
    for axes, (name, values) in zip(rows, curves.items(), strict=True):
        axes.plot(epochs, values, marker="o", markersize=3)
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    rows[-1].set_xlabel("epoch")
    return _png(figure)


def confusion(table: NDArray[np.int64], labels: Sequence[str], title: str) -> bytes:
    """Plot a square table of counts, rows the classes and columns the answers, shaded by the share of the row."""
    side = max(4.0, 0.55 * len(labels) + 1.5)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(table):
        if count:
            axes.text(column, row, f"{count}", ha="center", va="center", fontsize=8, color=_ink(shares[row, column]))
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    axes.set_title(title, fontsize=10)
    return _png(figure)


def shares(rows: Mapping[str, tuple[float, float, float]], title: str) -> bytes:
    """Plot shares of 0 to 1 as bars with their intervals."""
    figure = Figure(figsize=(max(4.0, 0.55 * len(rows) + 1.5), 3), layout="constrained")
    axes = figure.add_subplot()
    middle, low, high = (np.array(values) for values in zip(*rows.values(), strict=True))
    ends = np.clip([middle - low, high - middle], 0, None)
    axes.errorbar(range(len(rows)), middle, yerr=ends, fmt="o", capsize=3)
    axes.set_xticks(range(len(rows)), list(rows))
    axes.grid(axis="y", alpha=0.3)
    axes.set_title(title, fontsize=10)
    return _png(figure)


def _ink(shade: float) -> str:
    return "white" if shade > 0.6 else "black"


def _png(figure: Figure) -> bytes:
    out = BytesIO()
    # Without the library's name and version: the same figures give the same bytes.
    figure.savefig(out, format="png", dpi=_DOTS, metadata={"Software": None})
    return out.getvalue()
