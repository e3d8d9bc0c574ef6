"""Vary a normalised picture as another slide, focus and rotation would."""

import cv2
import numpy as np

from agents.cells.crop import SIDE
from agents.cells.stain import PLASMA, Colour


def varied(pixels: Colour, random: np.random.Generator) -> Colour:
    """Vary stain, rotation, position, blur and noise at random, and mirror; the shape of the cell stays."""
    density = -np.log((pixels.astype(np.float32) + 1) / (PLASMA + 1))
    density = density * random.uniform(0.88, 1.14) * random.uniform(0.94, 1.06, 3).astype(np.float32)
    seen = np.exp(-density) * (PLASMA + 1) * random.uniform(0.985, 1.01, 3).astype(np.float32) - 1
    if random.random() < 0.4:
        seen = cv2.GaussianBlur(seen, (0, 0), random.uniform(0.4, 1.5))
    if random.random() < 0.5:
        seen = seen[:, ::-1]
    middle = SIDE / 2 - 0.5
    turn = cv2.getRotationMatrix2D((middle, middle), random.uniform(0, 360), random.uniform(0.85, 1.12))
    across, down = random.uniform(-5, 5, 2)
    turn = turn + np.array([[0, 0, across], [0, 0, down]])
    seen = cv2.warpAffine(np.ascontiguousarray(seen, np.float32), turn, (SIDE, SIDE), borderValue=(PLASMA,) * 3)
    noise = random.normal(0, random.uniform(0, 2.5), seen.shape)
    return np.asarray(np.clip(seen + noise, 0, 255), np.uint8)
