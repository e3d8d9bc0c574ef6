"""The form of a white cell: how lobed its nucleus is, how round, and how much of the cell it fills. Plain numbers, no units."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.cells.find import Cell, bounds, disc
from agents.cells.stain import Mask

_PART = 0.06
"""Of the nucleus: a smaller part is not a lobe."""


def shape(cell: Cell) -> Mapping[str, float]:
    """Each trait by its name. The masks must not be empty."""
    return {**_outline(cell), **_lobes(cell.nucleus), **_place(cell)}


def _outline(cell: Cell) -> Mapping[str, float]:
    nucleus, whole = float(cell.nucleus.sum()), float(cell.whole.sum())
    contours = _contours(cell.nucleus)
    points = np.vstack(contours)
    hull = cv2.convexHull(points)
    hull_area = max(cv2.contourArea(hull), 1.0)
    around = max(sum(cv2.arcLength(contour, True) for contour in contours), 1.0)
    _, (width, height), _ = cv2.minAreaRect(points)
    cell_hull = cv2.convexHull(np.vstack(_contours(cell.whole)))
    left, top, right, bottom = bounds(cell.whole)
    return {
        "nucleus of cell": nucleus / whole,
        "nucleus of its hull": nucleus / hull_area,
        "hull of cell": hull_area / whole,
        "roundness": 4 * np.pi * nucleus / around**2,
        "hull of outline": cv2.arcLength(hull, True) / around,
        "aspect": min(width, height) / max(width, height, 1),
        "cell aspect": min(right - left, bottom - top) / max(right - left, bottom - top),
        "cell of its hull": whole / max(cv2.contourArea(cell_hull), 1.0),
        "parts": float(sum(cv2.contourArea(contour) > _PART * nucleus for contour in contours)),
    }


def _lobes(nucleus: Mask) -> Mapping[str, float]:
    area = float(nucleus.sum())
    depth = cv2.distanceTransform(nucleus, cv2.DIST_L2, 5)
    deepest = float(depth.max())
    smooth = cv2.GaussianBlur(depth, (0, 0), 2)
    peaks = (smooth == cv2.dilate(smooth, disc(15))) & (smooth > 0.45 * smooth.max())
    framed = np.pad(nucleus, 1)
    cv2.floodFill(framed, None, (0, 0), 1)
    return {
        "thickness": deepest / np.sqrt(area),
        "mean thickness": float(depth[nucleus > 0].mean()) / np.sqrt(area),
        "lobes": _pieces(peaks),
        "cores at half": _pieces(depth > 0.5 * deepest),
        "cores at 0.7": _pieces(depth > 0.7 * deepest),
        "holes": float((framed == 0).sum()) / area,
    }


def _place(cell: Cell) -> Mapping[str, float]:
    own, whole = cv2.moments(cell.nucleus, True), cv2.moments(cell.whole, True)
    x, y = own["m10"] / own["m00"], own["m01"] / own["m00"]
    away = np.hypot(x - whole["m10"] / whole["m00"], y - whole["m01"] / whole["m00"])
    spread = cv2.HuMoments(own).ravel()
    hull = cv2.moments(cv2.convexHull(np.vstack(_contours(cell.nucleus))))
    column, row = (int(hull[moment] / max(hull["m00"], 1.0)) for moment in ("m10", "m01"))
    middle = cell.nucleus[max(0, row - 5) : row + 6, max(0, column - 5) : column + 6]
    return {
        "off the middle": float(away / np.sqrt(whole["m00"])),
        "spread": float(spread[0]),
        "length": float(np.sqrt(abs(spread[1]))),
        "filled in the middle": float(middle.mean()),
    }


def _contours(mask: Mask) -> list[NDArray[np.int32]]:
    return [
        np.asarray(contour, np.int32) for contour in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    ]


def _pieces(mask: NDArray[np.bool_]) -> float:
    return float(cv2.connectedComponents(mask.astype(np.uint8))[0] - 1)
