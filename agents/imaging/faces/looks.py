"""How a face looks: eyes and smile by Haar cascades, sharpness and brightness by its pixels, and the smile by the emotion too."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.imaging.area import Area
from agents.imaging.faces.cascades import cascade, hits

SIDE = 160
"""Pixels a side to which a face is scaled first, so that all are measured alike."""

CASCADES = _EYE, _SMILE = "haarcascade_eye", "haarcascade_smile"

_EYES, _MOUTH = slice(20, 96), slice(88, SIDE)
"""Rows in which eyes and mouths are looked for."""

_HALVES = slice(0, 84), slice(76, SIDE)
"""Columns in which each eye is looked for: two in one half would be none."""

_EYE_EVEN = 0.5
_SMILE_EVEN, _SMILE_STEP = 2.8, 0.7
"""Weights of the cascades at which a hit is as often wrong as right, seen on photos; smiles are separated less sharply."""

_SMILE_MOST = 2.0
"""What the cascade's weight may count beside the emotion, in log-odds: less than an emotion of 0.9. It misses every second
smile (by eye, 13 of 34 public faces on which the two differ or are unsure, and it sees 4 where there is none; both together err on 8)."""

_HAPPY_MOST = 0.99
"""How sure the emotion may be of a smile; it calls some old photos of men with moustaches happy."""

_SHARP = 50.0
"""Variance of the Laplacian at which sharpness is one half: photos in focus have 40 to 600, small faces 5 to 20."""


@dataclass(frozen=True)
class Looks:
    """Estimates carry a confidence from 0 to 1; sharpness and brightness are measured, 0 to 1."""

    eyes: int
    eyes_confidence: float
    smile: bool
    smile_confidence: float
    sharpness: float
    brightness: float


def looks(grey: NDArray[np.uint8], face: Area, happy: float | None = None) -> Looks:
    """How the face in this area of a grey picture looks; `happy`: how likely it is, 0 to 1, where its emotion is known."""
    seen = grey[face.y : face.y + face.height, face.x : face.x + face.width]
    shrinks = seen.shape[0] > SIDE
    scaled = cv2.resize(seen, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    pixels = scaled.astype(np.uint8, copy=False)
    eyes, eyes_confidence = _eyes(pixels[_EYES])
    smile, smile_confidence = _smile(pixels[_MOUTH], happy)
    variance = float(cv2.Laplacian(pixels, cv2.CV_64F).var())
    return Looks(
        eyes=eyes,
        eyes_confidence=round(eyes_confidence, 4),
        smile=smile,
        smile_confidence=round(smile_confidence, 4),
        sharpness=round(variance / (variance + _SHARP), 4),
        brightness=round(float(pixels.mean()) / 255, 4),
    )


def _eyes(rows: NDArray[np.uint8]) -> tuple[int, float]:
    """How many open eyes are seen, one in each half, and how sure that is; not seeing one proves little."""
    halves = [rows[:, columns] for columns in _HALVES]
    eyes = [hits(cascade(_EYE), half, scale=1.05, neighbours=2, smallest=(20, 20), largest=(70, 70)) for half in halves]
    weights = [best[0][1] for best in eyes if best and best[0][1] > 0]
    if not weights:
        return 0, 0.5
    return len(weights), sum(_even(weight - _EYE_EVEN) for weight in weights) / len(weights)


def _smile(rows: NDArray[np.uint8], happy: float | None) -> tuple[bool, float]:
    """Whether there is a smile, and how sure that is. An emotion that is sure decides, as the two must not disagree then."""
    smiles = hits(cascade(_SMILE), rows, scale=1.1, neighbours=15, smallest=(40, 20))
    weight = smiles[0][1] if smiles else 1.0
    distance = (weight - _SMILE_EVEN) / _SMILE_STEP
    if happy is not None:
        least, most = 1 - _HAPPY_MOST, _HAPPY_MOST
        clipped = min(max(happy, least), most)
        distance = min(max(distance, -_SMILE_MOST), _SMILE_MOST) + math.log(clipped / (1 - clipped))
    likely = _even(distance)
    return likely >= 0.5, max(likely, 1 - likely)


def _even(distance: float) -> float:
    """Apply the logistic function: 0.5 at 0."""
    return 1 / (1 + math.exp(-distance))
