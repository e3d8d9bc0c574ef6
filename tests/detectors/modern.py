"""A network of the parts that exports of current YOLO detectors are made of, with weights that mean nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from tests.detectors.export import save

_BINS = 8
"""Of which each side of a box is the mean."""


class _Graph:
    """Nodes and constants, one after the other; each method gives the name of its value."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._random = np.random.default_rng(6)

    def node(self, kind: str, *given: str, **options: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(given), [name], **options))
        return name

    def parts(self, given: str, sizes: Sequence[int], axis: int) -> list[str]:
        names = [f"part{len(self.nodes)}.{at}" for at in range(len(sizes))]
        self.nodes.append(helper.make_node("Split", [given, self.constant(np.array(sizes))], names, axis=axis))
        return names

    def constant(self, value: NDArray[Any]) -> str:
        name = f"constant{len(self.constants)}"
        self.constants[name] = value
        return name

    def convolution(self, given: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> str:
        """With SiLU after it."""
        weights = self._random.normal(0, 0.2, (outputs, inputs, kernel, kernel)).astype(np.float32)
        bias = self._random.normal(0, 0.1, outputs).astype(np.float32)
        made = self.node(
            "Conv", given, self.constant(weights), self.constant(bias), strides=[stride] * 2, pads=[kernel // 2] * 4
        )
        return self.node("Mul", made, self.node("Sigmoid", made))


def modern(path: Path, labels: int, side: int = 64) -> Path:
    """SiLU, a split and its sum, pooling in a row, scaling up, distances as distributions, and boxes made of them."""
    graph, shaped = _Graph(), np.array
    eighth = graph.convolution(graph.convolution("images", 3, 8, stride=4), 8, 8, stride=2)
    one, other = graph.parts(graph.convolution(eighth, 8, 16, kernel=1), [8, 8], axis=1)
    joined = graph.node("Concat", one, other, graph.node("Add", other, graph.convolution(other, 8, 8)), axis=1)
    sixteenth = graph.convolution(joined, 24, 16, stride=2)
    pooled = [sixteenth]
    for _ in range(2):
        pooled.append(graph.node("MaxPool", pooled[-1], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1]))
    deep = graph.convolution(graph.node("Concat", *pooled, axis=1), 48, 16, kernel=1)
    scales = graph.constant(shaped([1, 1, 2, 2], np.float32))
    wide = graph.node(
        "Resize", deep, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )
    near = graph.convolution(graph.node("Concat", wide, joined, axis=1), 40, 16)
    numbers = 4 * _BINS + labels
    flat, centres, strides = [], [], []
    for value, step in ((near, 8), (deep, 16)):
        cells = (side // step) ** 2
        told = graph.convolution(value, 16, numbers, kernel=1)
        flat.append(graph.node("Reshape", told, graph.constant(shaped([1, numbers, cells]))))
        rows, columns = np.indices((side // step, side // step)).reshape(2, cells)
        centres.append(np.stack([columns, rows]) + 0.5)
        strides.append(np.full((1, cells), step))
    count = sum(one.shape[1] for one in strides)
    sides, classes = graph.parts(graph.node("Concat", *flat, axis=2), [4 * _BINS, labels], axis=1)
    shares = graph.node("Reshape", sides, graph.constant(shaped([1, 4, _BINS, count])))
    shares = graph.node("Softmax", graph.node("Transpose", shares, perm=[0, 2, 1, 3]), axis=1)
    steps = graph.constant(np.arange(_BINS, dtype=np.float32).reshape(1, _BINS, 1, 1))
    means = graph.node("Reshape", graph.node("Conv", shares, steps), graph.constant(shaped([1, 4, count])))
    before, after = graph.parts(means, [2, 2], axis=1)
    middle = graph.constant(np.concatenate(centres, axis=1)[None].astype(np.float32))
    start, end = graph.node("Sub", middle, before), graph.node("Add", middle, after)
    half = graph.node("Div", graph.node("Add", start, end), graph.constant(shaped([2], np.float32)))
    boxes = graph.node("Concat", half, graph.node("Sub", end, start), axis=1)
    pixels = graph.node("Mul", boxes, graph.constant(np.concatenate(strides, axis=1).astype(np.float32)[None]))
    graph.nodes.append(helper.make_node("Concat", [pixels, graph.node("Sigmoid", classes)], ["output0"], axis=1))
    return save(path, graph.nodes, graph.constants, {"output0": [1, 4 + labels, count]}, [1, 3, side, side])
