"""A smear under the microscope as what its stain absorbs: optical densities, independent of the lamp and the camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.uint8]
"""Height x width x 3; red, green, blue."""

Mask = NDArray[np.uint8]
"""0 or 1."""

Plane = NDArray[np.float32]

PLASMA = 240.0
"""Level that the empty plasma has in each channel of a normalised picture."""

DENSEST = 1.5
"""Optical density (natural logarithm) that counts; a camera's darkest levels tell nothing more."""

_EMPTY = 85
"""Percentile of the brightness from which on a picture is taken to be empty plasma."""


@dataclass(frozen=True)
class Stain:
    """The optical densities of a picture, each 0 (plasma) to DENSEST."""

    red: Plane
    green: Plane
    blue: Plane

    @property
    def nuclear(self) -> Plane:
        """High where a nucleus is: its purple takes red and green light, and less of the blue that red cells take most."""
        return np.asarray(self.green + self.red - 1.5 * self.blue, np.float32)

    @property
    def basic(self) -> Plane:
        """Above 0 where blue dyes are (nuclei, most cytoplasm), below in red cells and granules of eosinophils."""
        return self.red - self.blue

    @property
    def pink(self) -> Plane:
        """Above 0 in everything of a white cell, its pink granules too; near 0 in red cells."""
        return self.green - self.blue

    @property
    def violet(self) -> Plane:
        """High where more green light is taken than red: pink and violet, not blue."""
        return self.green - self.red


def plasma(pixels: Colour) -> NDArray[np.float32]:
    """Estimate the colour of the light where nothing absorbs it: red, green, blue, 0 to 255."""
    smooth = _smooth(pixels, 1.2)
    light = smooth.sum(axis=2)
    return np.asarray(smooth[light >= np.percentile(light, _EMPTY)].mean(axis=0), np.float32)


def stain(pixels: Colour, light: NDArray[np.float32] | float = PLASMA, blur: float = 1.2) -> Stain:
    """Compute the optical densities of a picture under this light; `blur` (pixels, 0 for none) smooths the camera's noise."""
    smooth = _smooth(pixels, blur)
    ratio = (smooth + 1) / np.asarray(light + 1, np.float32)
    densities = np.clip(-np.log(ratio), 0, DENSEST).astype(np.float32)
    return Stain(*(np.ascontiguousarray(densities[..., band]) for band in range(3)))


def _smooth(pixels: Colour, blur: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), blur) if blur else pixels, np.float32)
