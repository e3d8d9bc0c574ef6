"""The trained trees as the file that is served, and customers with their scores for those who have no LightGBM."""

import json
import math
from pathlib import Path

import lightgbm
import numpy as np
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from agents.loan.features import NAMES
from training.loan.data import Calls
from training.loan.fit import Platt, probabilities

REFERENCES = 64
"""Customers whose scores are kept. Each value is drawn by itself: none of them is a person of the data."""

_OPSET = 15


def export(model: lightgbm.LGBMClassifier, calibration: Platt, file: Path) -> None:
    """Write the trees as ONNX, with the calibration in their leaves."""
    inputs = [("features", FloatTensorType([None, len(NAMES)]))]
    trees_as_onnx = convert_lightgbm(model, name="loan", initial_types=inputs, zipmap=False, target_opset=_OPSET)
    (trees,) = (node for node in trees_as_onnx.graph.node if node.op_type == "TreeEnsembleClassifier")
    attributes = {attribute.name: attribute for attribute in trees.attribute}
    leaves, owners = attributes["class_weights"].floats, attributes["class_treeids"].ints
    # A score is the sum of one leaf of each tree, made a probability by the logistic function: so its slope goes into each
    # leaf, and its shift into each leaf of one tree.
    for at, owner in enumerate(owners):
        leaves[at] = leaves[at] * calibration.slope + (calibration.shift if owner == 0 else 0.0)
    for output in trees_as_onnx.graph.output:
        if output.name == "label":  # the converter says one row, whatever comes in
            output.type.tensor_type.shape.dim[0].Clear()
    file.write_bytes(trees_as_onnx.SerializeToString(deterministic=True))


def references(model: lightgbm.LGBMClassifier, calibration: Platt, calls: Calls, random: np.random.Generator) -> bytes:
    """Return customers with invented values, and their scores by the trained trees, as JSON."""
    columns = [random.choice(calls.features[:, at], REFERENCES) for at in range(len(NAMES))]
    rows = np.stack(columns, axis=1)
    scores = calibration(probabilities(model, rows))
    document = {
        "features": list(NAMES),
        "rows": [[None if math.isnan(value) else float(value) for value in row] for row in rows],
        "scores": [float(score) for score in scores],
    }
    return (json.dumps(document) + "\n").encode()
