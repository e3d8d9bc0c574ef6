"""classify-cell: the cell that was cut out is told, and the area is that of the picture."""

import numpy as np

from agents.cells.types import CellType
from agents.services.cell_classify import NOTICE
from schemas.contracts import load_contracts
from schemas.validation.conform import conform
from streams.testing.driver import Driver, Service
from tests.pipelines.studio import ref, topology

CONTRACTS = load_contracts()


def test_one_service_after_the_other() -> None:
    """The second service gets the picture that the first one made, and both say their part of the answer."""
    asked: list[str] = []
    area = {"x": 5, "y": 6, "width": 70, "height": 80}

    def preprocess(given: dict[str, object]) -> dict[str, object]:
        asked.append(_key(given))
        return {"image": ref("cell"), "area": area, "cells": 1, "model": "finder", "model_version": "1"}

    def classify(given: dict[str, object]) -> dict[str, object]:
        asked.append(_key(given))
        chances = dict(zip(map(str, CellType), np.array([0.7, 0.1, 0.1, 0.1]).tolist(), strict=True))
        said = {
            "cell_type": "neutrophil",
            "confidence": 0.7,
            "probabilities": chances,
            "familiar": True,
            "strangeness": 1.0,
        }
        return {**said, "model": "memory", "model_version": "1", "notice": NOTICE}

    services: dict[str, Service] = {"cell-preprocess": preprocess, "cell-classify": classify}  # type: ignore[dict-item]
    made = topology("classify-cell")
    output = Driver(made, services).run(conform(made.input, {"image": ref("smear")})).output
    assert asked == ["smear", "cell"]
    assert output["cell_type"] == "neutrophil"
    assert output["area"] == area
    assert output["probabilities"]["neutrophil"] == 0.7
    assert output["notice"] == NOTICE


def _key(given: dict[str, object]) -> str:
    image = given["image"]
    assert isinstance(image, dict)
    return str(image["key"])
