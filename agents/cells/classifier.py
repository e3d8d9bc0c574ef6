"""Classify white cells: each trait of the cell, compared with the usual, speaks for or against each type.

A linear model over named numbers: its file is JSON that a person can read, and reading it takes NumPy alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.cells.bundle import FILE, FOLDER
from agents.cells.types import CellType
from streams.models import BadBundle, check

Numbers = NDArray[np.float64]

UNUSUAL = 4.0
"""Standard deviations at which traits are clipped."""

_DIGITS = 6
"""Of the probabilities in an answer."""


@dataclass(frozen=True)
class Weights:
    """The learned parameters."""

    types: tuple[CellType, ...]
    """The types of the outputs, in order."""
    traits: tuple[str, ...]
    """Its inputs, see `agents.cells.traits`."""
    usual: Numbers
    """The mean of each trait."""
    spread: Numbers
    """Its standard deviation."""
    weights: Numbers
    """Types x traits."""
    biases: Numbers
    """One per type."""
    temperature: float
    """What scores are divided by for the probabilities to be calibrated."""
    familiar: float
    """The largest strangeness of a cell that is like those that were learned from."""

    def __post_init__(self) -> None:
        """Check the weights. Raises ValueError when their shapes or values do not fit together."""
        types, traits = len(self.types), len(self.traits)
        shapes = self.usual.shape, self.spread.shape, self.weights.shape, self.biases.shape
        if shapes != ((traits,), (traits,), (types, traits), (types,)):
            raise ValueError(f"{types} types and {traits} traits, and numbers of the shapes {shapes}")
        numbers = np.concatenate([self.usual, self.spread, self.weights.ravel(), self.biases, self._scales])
        positive = (self.spread > 0).all() and (self._scales > 0).all()
        if types < 2 or not np.isfinite(numbers).all() or not positive:
            raise ValueError("fewer than two types, numbers that are not finite, or a scale that is not positive")

    def scores(self, traits: Numbers) -> Numbers:
        """Compute the score of each type before calibration (logits); `traits` is one row, or many."""
        usual = np.clip((traits - self.usual) / self.spread, -UNUSUAL, UNUSUAL)
        return np.asarray(usual @ self.weights.T + self.biases)

    def probabilities(self, traits: Numbers) -> Numbers:
        """Of each type; each row adds up to 1."""
        scores = self.scores(traits) / self.temperature
        raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=-1, keepdims=True))

    def strangeness(self, traits: Numbers) -> Numbers:
        """Compute the distance of a cell from the training cells: the root mean square of its traits, in standard deviations."""
        return np.asarray(np.sqrt((((traits - self.usual) / self.spread) ** 2).mean(axis=-1)))

    @property
    def _scales(self) -> Numbers:
        return np.array([self.temperature, self.familiar])

    def to_json(self) -> str:
        """Text that `parse` reads, number for number."""
        body = {
            "types": list(self.types),
            "temperature": self.temperature,
            "familiar": self.familiar,
            "biases": self.biases.tolist(),
            "traits": {
                name: {"usual": usual, "spread": spread, "weights": list(weights)}
                for name, usual, spread, weights in zip(
                    self.traits, self.usual.tolist(), self.spread.tolist(), self.weights.T.tolist(), strict=True
                )
            },
        }
        return json.dumps(body, indent=1) + "\n"


def parse(text: str) -> Weights:
    """Parse weights from JSON. Raises ValueError, KeyError or TypeError when the text does not hold any."""
    body = json.loads(text)
    rows = body["traits"].values()
    return Weights(
        tuple(CellType(kind) for kind in body["types"]),
        tuple(body["traits"]),
        np.array([row["usual"] for row in rows], np.float64),
        np.array([row["spread"] for row in rows], np.float64),
        np.array([row["weights"] for row in rows], np.float64).T,
        np.array(body["biases"], np.float64),
        float(body["temperature"]),
        float(body["familiar"]),
    )


@dataclass(frozen=True)
class Told:
    """The model's answer for a cell."""

    probabilities: Mapping[CellType, float]
    """Of each type that the model knows."""
    strangeness: float
    """See `Weights.strangeness`."""
    familiar: bool
    """Whether the cell is like those that were learned from; if not, the probabilities mean little."""


class Classifier:
    """One loaded model."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Load a bundle. Raises BadBundle if it does not match its card, or is not of a cell model."""
        self.bundle = check(folder)
        try:
            self.weights = parse((folder / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadBundle(f"{folder}: {FILE} is not a readable model: {error}") from error

    def tell(self, traits: Mapping[str, float]) -> Told:
        """Classify a cell. Raises BadBundle for a model of other traits."""
        missing = set(self.weights.traits) - traits.keys()
        if missing:
            raise BadBundle(
                f"{self.bundle.folder}: the model needs {', '.join(sorted(missing))}, which is not measured here"
            )
        row = np.array([traits[name] for name in self.weights.traits], np.float64)
        probabilities = self.weights.probabilities(row)
        rounded = {
            kind: round(float(probability), _DIGITS)
            for kind, probability in zip(self.weights.types, probabilities, strict=True)
        }
        strangeness = float(self.weights.strangeness(row))
        return Told(rounded, round(strangeness, _DIGITS), strangeness <= self.weights.familiar)
