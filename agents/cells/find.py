"""The white cell of a smear: first its nucleus, by the stain that only nuclei take, then the cytoplasm around it."""

from dataclasses import dataclass

import cv2
import numpy as np

from agents.cells.stain import Mask, Stain
from agents.imaging.area import Box

FAINTEST = 0.45
"""Nuclear density of the faintest nucleus, as a median; red cells that lie on each other reach 0.35."""

SMALLEST = 0.006
"""Of the picture's pixels: a stained spot that is smaller is a platelet, or dirt. BCCD's smallest nucleus has 0.016."""

_STAINED = 0.28
"""Nuclear density of a nucleus's edge at least; single red cells stay below 0.2."""

_PURPLE = 0.2
"""Density of a nucleus in green beyond that in blue, at least; what is merely dark has none."""

_DARK = 0.5
"""Of the density of the darkest stain: the rest is not nucleus."""

_REACH = 0.8
"""Of the square root of the nucleus's pixels: as far as its cytoplasm is looked for."""

_BASIC = 0.02
"""What cytoplasm has of the blue dyes at least."""

_PINKER = 0.10
"""By how much granules are pinker than the red cells around."""

_ANOTHER = 0.3
"""Of the largest nucleus's pixels: what makes another stained group a second white cell."""


@dataclass(frozen=True)
class Cell:
    """A white cell."""

    nucleus: Mask
    """All its lobes."""
    whole: Mask
    """With the cytoplasm."""
    cells: int
    """How many white cells the picture has; this is the one with the largest nucleus."""

    @property
    def box(self) -> Box:
        """Of the whole cell, in pixels of the picture."""
        return bounds(self.whole)


def find(seen: Stain, reach: int) -> Cell | None:
    """Find the white cell with the largest nucleus; None without any. Lobes at most `reach` pixels apart are one nucleus."""
    nuclear = np.where(seen.pink > _PURPLE, seen.nuclear, 0)
    stained = nuclear[nuclear > _STAINED]
    least = SMALLEST * nuclear.size
    if stained.size < least:
        return None
    threshold = max(_STAINED, _DARK * float(np.percentile(stained, 90)))
    lobes = cv2.morphologyEx((nuclear > threshold).astype(np.uint8), cv2.MORPH_OPEN, disc(5)).astype(np.uint8)
    groups = cv2.connectedComponents(cv2.dilate(lobes, disc(2 * reach + 1)))[1] * lobes
    sizes = np.bincount(groups.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    if sizes[largest] < least:
        return None
    nucleus = (groups == largest).astype(np.uint8)
    if float(np.median(nuclear[nucleus > 0])) < FAINTEST:
        return None
    cells = int((sizes >= max(least, _ANOTHER * sizes[largest])).sum())
    return Cell(nucleus, _whole(seen, nucleus), cells)


def bounds(mask: Mask) -> Box:
    """Return where a mask that is not empty has pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def disc(size: int) -> Mask:
    """Return a round structuring element, `size` pixels across (an odd number)."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _whole(seen: Stain, nucleus: Mask) -> Mask:
    """Grow the nucleus to its cell: the stained pixels connected to it that are not red cells."""
    side = float(np.sqrt(nucleus.sum()))
    near = cv2.distanceTransform(1 - nucleus, cv2.DIST_L2, 3) < _REACH * side
    red_cells = (seen.blue > 0.12) & (seen.basic < _BASIC) & ~near
    usual = float(np.median(seen.pink[red_cells])) if red_cells.sum() > 0.01 * near.size else 0.0
    pink = float(np.clip(usual + _PINKER, 0.12, 0.22))
    stained = (cv2.blur(seen.basic, (5, 5)) > _BASIC) | (cv2.blur(seen.pink, (5, 5)) > pink)
    mask = ((stained | (nucleus > 0)) & near).astype(np.uint8)
    smooth = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc(max(3, int(0.14 * side) | 1)))  # cuts bridges to other things
    parts = cv2.connectedComponents(smooth)[1]
    own = np.unique(parts[nucleus > 0])
    return (np.isin(parts, own[own > 0]) | (nucleus > 0)).astype(np.uint8)
