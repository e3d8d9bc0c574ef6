"""A small detector of drawn shapes, trained here with NumPy: four convolutions, one cell for every eight pixels a side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.detectors.shapes import LABELS, Scene, scene

Array = NDArray[np.float32]

SIDE = 64
"""Pixels a side of what it takes."""
CELL = 8
GRID = SIDE // CELL
TYPICAL = 20.0
"""Pixels of a side that a box has where the network says 0."""

_KERNELS, _STRIDES, _WIDTHS = (4, 3, 3, 3), (4, 2, 1, 1), (3, 16, 32, 32, 32)
_STEPS, _BATCH, _RATE, _SCENES = 550, 24, 6e-3, 2500


@dataclass
class Layer:
    """A convolution; `weights` are rows of kernel x kernel x inputs."""

    weights: Array
    bias: Array
    kernel: int
    stride: int

    @property
    def edge(self) -> int:
        """Pixels of nothing around its input."""
        return self.kernel // 2 if self.stride < self.kernel else 0

    def forward(self, given: Array) -> tuple[Array, Array]:
        """The output, and what it was multiplied with; pictures are count x height x width x channels."""
        edge = self.edge
        padded = np.pad(given, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
        seen = np.lib.stride_tricks.sliding_window_view(padded, (self.kernel, self.kernel), (1, 2))
        seen = seen[:, :: self.stride, :: self.stride].transpose(0, 1, 2, 4, 5, 3)
        columns = np.ascontiguousarray(seen).reshape(*seen.shape[:3], -1)
        return columns @ self.weights + self.bias, columns

    def backward(self, slope: Array, columns: Array, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
        """The slopes of the loss by weights, bias and input, from that by the output."""
        flat = slope.reshape(-1, slope.shape[-1])
        by_weights = columns.reshape(len(flat), -1).T @ flat
        parts = (slope @ self.weights.T).reshape(*slope.shape[:3], self.kernel, self.kernel, shape[3])
        edge = self.edge
        made = np.zeros((shape[0], shape[1] + 2 * edge, shape[2] + 2 * edge, shape[3]), np.float32)
        high, wide = slope.shape[1] * self.stride, slope.shape[2] * self.stride
        for row in range(self.kernel):
            for column in range(self.kernel):
                made[:, row : row + high : self.stride, column : column + wide : self.stride] += parts[
                    :, :, :, row, column
                ]
        return by_weights, flat.sum(axis=0), made[:, edge : edge + shape[1], edge : edge + shape[2]]


def network(random: np.random.Generator) -> list[Layer]:
    """Layers that have learned nothing; the last one gives x, y, width, height and the labels' logits of each cell."""
    layers = []
    for kernel, stride, given, made in zip(_KERNELS, _STRIDES, _WIDTHS, _WIDTHS[1:], strict=False):
        inputs = kernel * kernel * given
        weights = random.normal(0, np.sqrt(2 / inputs), (inputs, made)).astype(np.float32)
        layers.append(Layer(weights, np.zeros(made, np.float32), kernel, stride))
    outputs = 4 + len(LABELS)
    weights = random.normal(0, 0.01, (_WIDTHS[-1], outputs)).astype(np.float32)
    bias = np.array([0.0] * 4 + [-3.0] * len(LABELS), np.float32)
    return [*layers, Layer(weights, bias, 1, 1)]


def boxed_in(one: Scene) -> Scene:
    """A narrower or lower scene between grey bars, as a letterbox puts it."""
    height, width = one.pixels.shape[:2]
    x, y = (SIDE - width) // 2, (SIDE - height) // 2
    pixels = np.full((SIDE, SIDE, 3), 114, np.uint8)
    pixels[y : y + height, x : x + width] = one.pixels
    moved = [(label, (box[0] + x, box[1] + y, box[2] + x, box[3] + y)) for label, box in one.objects]
    return Scene(pixels, tuple(moved))


def inputs(scenes: Sequence[Scene]) -> Array:
    """Pictures as the network takes them, 0 to 1."""
    return np.stack([one.pixels for one in scenes]).astype(np.float32) / np.float32(255)


def targets(scenes: Sequence[Scene]) -> tuple[Array, Array, Array]:
    """What each cell should say, where its labels count, and where its box counts.

    An object is told by the cell that its middle is in. The cells around it may tell it too: their boxes must be right,
    and no other label than its own.
    """
    wanted = np.zeros((len(scenes), GRID, GRID, 4 + len(LABELS)), np.float32)
    counted = np.ones((len(scenes), GRID, GRID, len(LABELS)), np.float32)
    boxed = np.zeros((len(scenes), GRID, GRID, 1), np.float32)
    for at, one in enumerate(scenes):
        middles = []
        for label, (left, top, right, bottom) in one.objects:
            x, y = (left + right) / 2 / CELL, (top + bottom) / 2 / CELL
            sides = np.log((right - left) / TYPICAL), np.log((bottom - top) / TYPICAL)
            number = LABELS.index(label)
            middles.append((int(y), int(x), number))
            for row in range(max(0, int(y) - 1), min(GRID, int(y) + 2)):
                for column in range(max(0, int(x) - 1), min(GRID, int(x) + 2)):
                    wanted[at, row, column, :4] = (x - column - 0.5, y - row - 0.5, *sides)
                    counted[at, row, column, number], boxed[at, row, column] = 0, 1
        for row, column, number in middles:
            wanted[at, row, column, 4 + number] = 1
            counted[at, row, column] = 1
    return wanted, counted, boxed


def step(layers: list[Layer], pictures: Array, goal: tuple[Array, Array, Array]) -> list[Array]:
    """The slopes of the loss by each layer's weights and bias: cross entropy of labels, squares of boxes."""
    wanted, counted, boxed = goal
    columns, values = [], [pictures]
    for layer in layers:
        made, seen = layer.forward(values[-1])
        columns.append(seen)
        values.append(made if layer is layers[-1] else np.maximum(made, 0))
    told = values[-1]
    objects = max(1.0, float(wanted[..., 4:].sum()))
    slope = np.empty_like(told)
    slope[..., :4] = 2 * (told[..., :4] - wanted[..., :4]) * boxed / objects
    slope[..., 4:] = (1 / (1 + np.exp(-told[..., 4:])) - wanted[..., 4:]) * counted / objects
    slopes: list[Array] = []
    for at in reversed(range(len(layers))):
        by_weights, by_bias, slope = layers[at].backward(slope, columns[at], values[at].shape)
        slopes = [by_weights, by_bias, *slopes]
        slope *= values[at] > 0
    return slopes


def train(seed: int = 7) -> list[Layer]:
    """A network that learned from drawn scenes, by Adam."""
    random = np.random.default_rng(seed)
    layers = network(random)
    learned = [array for layer in layers for array in (layer.weights, layer.bias)]
    means = [np.zeros_like(one) for one in learned]
    squares = [np.zeros_like(one) for one in learned]
    sizes = random.integers(SIDE // 2, SIDE + 1, _SCENES).tolist()
    scenes = [boxed_in(scene(random, *((SIDE, one) if at % 2 else (one, SIDE)))) for at, one in enumerate(sizes)]
    pictures, (wanted, counted, boxed) = inputs(scenes), targets(scenes)
    for at in range(1, _STEPS + 1):
        some = random.permutation(_SCENES)[:_BATCH]
        rate = _RATE * min(1.0, 1.5 * (1 - at / (_STEPS + 1)))
        slopes = step(layers, pictures[some], (wanted[some], counted[some], boxed[some]))
        for one, slope, mean, square in zip(learned, slopes, means, squares, strict=True):
            mean += 0.1 * (slope - mean)
            square += 0.005 * (slope * slope - square)
            one -= rate * (mean / (1 - 0.9**at)) / (np.sqrt(square / (1 - 0.995**at)) + 1e-6)
    return layers
