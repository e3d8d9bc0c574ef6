"""Writing networks as ONNX files.

python -m tests.detectors.export FILE   (trains the detector of shapes and writes it)
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.detectors.shapes import LABELS
from tests.detectors.tiny import CELL, GRID, SIDE, TYPICAL, Layer, train


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, Sequence[int]],
    inputs: Sequence[int],
) -> Path:
    """A checked ONNX file with one input, `images`."""
    graph = helper.make_graph(
        list(nodes),
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, list(inputs))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def tiny(layers: Sequence[Layer], path: Path) -> Path:
    """The trained network, with its boxes made pixels in the graph: [1, 4 + labels, cells], as YOLOv8 gives them."""
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, NDArray[Any]] = {}
    value = "images"
    for at, layer in enumerate(layers):
        kernel, inputs = layer.kernel, layer.weights.shape[0] // layer.kernel**2
        shaped = layer.weights.reshape(kernel, kernel, inputs, -1).transpose(3, 2, 0, 1)
        constants |= {f"w{at}": np.ascontiguousarray(shaped), f"b{at}": layer.bias}
        options: dict[str, Any] = {
            "kernel_shape": [kernel] * 2,
            "strides": [layer.stride] * 2,
            "pads": [layer.edge] * 4,
        }
        nodes.append(helper.make_node("Conv", [value, f"w{at}", f"b{at}"], [f"c{at}"], **options))
        value = f"c{at}"
        if layer is not layers[-1]:
            nodes.append(helper.make_node("Relu", [value], [f"r{at}"]))
            value = f"r{at}"
    cells = GRID * GRID
    rows, columns = np.indices((GRID, GRID)).reshape(2, 1, cells).astype(np.float32)
    constants |= {
        "flat": np.array([1, 4 + len(LABELS), cells]),
        "grid": np.concatenate([columns, rows])[None] + 0.5,
        "cell": np.array([CELL], np.float32),
        "typical": np.array([TYPICAL], np.float32),
        **{f"to{at}": np.array([at]) for at in (0, 2, 4, 4 + len(LABELS))},
        "one": np.array([1]),
    }
    node = helper.make_node
    nodes += [
        node("Reshape", [value, "flat"], ["told"]),
        node("Slice", ["told", "to0", "to2", "one"], ["middles"]),
        node("Add", ["middles", "grid"], ["moved"]),
        node("Mul", ["moved", "cell"], ["pixels"]),
        node("Slice", ["told", "to2", "to4", "one"], ["sides"]),
        node("Exp", ["sides"], ["times"]),
        node("Mul", ["times", "typical"], ["sizes"]),
        node("Slice", ["told", "to4", f"to{4 + len(LABELS)}", "one"], ["logits"]),
        node("Sigmoid", ["logits"], ["chances"]),
        node("Concat", ["pixels", "sizes", "chances"], ["output0"], axis=1),
    ]
    return save(path, nodes, constants, {"output0": [1, 4 + len(LABELS), cells]}, [1, 3, SIDE, SIDE])


def constant(path: Path, outputs: Mapping[str, NDArray[Any]], inputs: Sequence[int] = (1, 3, 32, 32)) -> Path:
    """A network that gives these outputs whatever the picture, laid out as those of some detector."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
    ]
    constants: dict[str, NDArray[Any]] = {"nothing": np.zeros((1, 1, 1, 1), np.float32)}
    for name, value in outputs.items():
        constants[f"{name}.value"] = value.astype(np.float32)
        constants[f"{name}.shape"] = np.array([1] * value.ndim)
        nodes += [
            helper.make_node("Reshape", ["zero", f"{name}.shape"], [f"{name}.zero"]),
            helper.make_node("Add", [f"{name}.value", f"{name}.zero"], [name]),
        ]
    return save(path, nodes, constants, {name: value.shape for name, value in outputs.items()}, inputs)


if __name__ == "__main__":
    tiny(train(), Path(sys.argv[1]))
