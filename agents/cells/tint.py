"""The colours of a white cell: how nucleus and cytoplasm are stained, and how grainy they are. Optical densities."""

from collections.abc import Mapping
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.cells.find import Cell, disc
from agents.cells.stain import Plane, Stain

Where = NDArray[np.bool_]

_FEW = 50
"""Pixels: too few to speak of."""

_LIGHTS = ("red", "green", "blue")
_DYES = ("basic", "pink", "violet")


def tint(cell: Cell, seen: Stain, sharp: Stain) -> Mapping[str, float]:
    """Each trait by its name; `seen` is smoothed, `sharp` is not. The cell must show cytoplasm."""
    nucleus, around = _inside(cell), cytoplasm(cell)
    return {
        **_stained(seen, nucleus, around),
        **_granules(cell, seen, around),
        **_grain(cell, sharp, nucleus, around),
    }


def _inside(cell: Cell) -> Where:
    inner = cv2.erode(cell.nucleus, disc(5)) > 0
    return np.asarray(inner if inner.sum() >= _FEW else cell.nucleus > 0)


def cytoplasm(cell: Cell) -> Where:
    """Without the nucleus's blurred rim; of a cell that shows none, what lies right around the nucleus. May be empty."""
    mask = (cell.whole > 0) & (cv2.dilate(cell.nucleus, disc(7)) == 0)
    if mask.sum() >= _FEW:
        return np.asarray(mask)
    return np.asarray((cv2.dilate(cell.nucleus, disc(13)) > 0) & (cv2.dilate(cell.nucleus, disc(5)) == 0))


def _stained(seen: Stain, nucleus: Where, cytoplasm: Where) -> Mapping[str, float]:
    inner = {light: _mean(getattr(seen, light), nucleus) for light in _LIGHTS}
    outer = {light: _mean(getattr(seen, light), cytoplasm) for light in _LIGHTS}
    stained = {f"nucleus {light}": value for light, value in inner.items()}
    stained |= {f"cytoplasm {light}": value for light, value in outer.items()}
    for dye in _DYES:
        plane: Plane = getattr(seen, dye)
        own = _mean(plane, nucleus)
        low, middle, high = (float(percentile) for percentile in np.percentile(plane[cytoplasm], (10, 50, 90)))
        stained |= {f"nucleus {dye}": own, f"cytoplasm {dye} low": low, f"cytoplasm {dye}": middle}
        stained |= {f"cytoplasm {dye} high": high, f"cytoplasm to nucleus {dye}": middle / (abs(own) + 0.1)}
    for part, values in (("nucleus", inner), ("cytoplasm", outer)):
        stained |= {
            f"{part} {percentile} to green": values[percentile] / (values["green"] + 0.05)
            for percentile in ("red", "blue")
        }
    return {**stained, "cytoplasm to nucleus green": outer["green"] / (inner["green"] + 0.05)}


def _granules(cell: Cell, seen: Stain, cytoplasm: Where) -> Mapping[str, float]:
    whole = float(cell.whole.sum())
    blue = (seen.red > 0.8 * seen.green) & (seen.red > 0.04)
    return {
        "cytoplasm of cell": float(cytoplasm.sum()) / whole,
        "pink of cell": float(((seen.pink > 0.15) & (seen.basic < 0.05) & cytoplasm).sum()) / whole,
        "violet of cell": float(((seen.violet > 0.12) & cytoplasm).sum()) / whole,
        "blue of cell": float((blue & cytoplasm).sum()) / whole,
    }


def _grain(cell: Cell, sharp: Stain, nucleus: Where, cytoplasm: Where) -> Mapping[str, float]:
    parts = {"nucleus": nucleus, "cytoplasm": cytoplasm}
    values = {
        f"{part} {light} uneven": float(getattr(sharp, light)[where].std())
        for part, where in parts.items()
        for light in _LIGHTS
    }
    for name, size in (("fine", 1.0), ("coarse", 2.5)):
        red, green = _band(sharp.red, size), _band(sharp.green, size)
        grains = (("nucleus", green, nucleus), ("cytoplasm", green, cytoplasm), ("red cytoplasm", red, cytoplasm))
        for part, plane, where in chain(grains, (("violet cytoplasm", green - red, cytoplasm),)):
            values[f"{name} grain of {part}"] = float(plane[where].std())
    edges = np.abs(cv2.Laplacian(cv2.GaussianBlur(sharp.green, (0, 0), 1), cv2.CV_32F))
    return {**values, "sharpness": float(edges[cell.whole > 0].mean())}


def _band(plane: Plane, size: float) -> Plane:
    """Keep the details that are about `size` pixels large (a difference of Gaussians)."""
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), size) - cv2.GaussianBlur(plane, (0, 0), 2 * size), np.float32)


def _mean(plane: Plane, where: Where) -> float:
    return float(plane[where].mean())
