"""The reference for drift of a loan model: its training data (see `streams.datasets.drift`)."""

from typing import Any

import numpy as np

from agents.loan.features import NAMES
from streams.datasets.drift import described
from training.loan.data import Calls, Floats

_INPUTS = ("age", "balance", "campaign", "previous")
_INDICATOR = "euribor3m"


def reference(learned: Calls, scores: Floats) -> dict[str, Any]:
    """Return the part `reference` of a card. `scores` are those of models that had not seen the calls."""

    def known(name: str) -> list[float]:
        values = learned.features[:, NAMES.index(name)]
        return [round(float(value), 4) for value in values[~np.isnan(values)]]

    return {
        "of": len(learned),
        "features": {
            "output.appetence": described([round(float(score), 4) for score in scores]),
            **{f"input.{name}": described(known(name)) for name in _INPUTS},
            f"output.indicators.{_INDICATOR}": described(known(_INDICATOR)),
        },
    }
