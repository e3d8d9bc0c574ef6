"""Export a trained network, and pictures with its answers for tests without TensorFlow."""

from contextlib import redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from training.digits.network import served
from training.digits.pictures.distort import distorted
from training.digits.pictures.drawn import drawn

REFERENCES = 64
"""Number of pictures with stored answers. They are drawn, because MNIST's may not be redistributed."""

_OPSET = 13


def export(model: keras.Model, temperature: float, file: Path) -> None:
    """Write the network as ONNX."""
    with redirect_stdout(StringIO()):  # the converter lists its tensors there
        lite = bytes(tf.lite.TFLiteConverter.from_keras_model(served(model, temperature)).convert())
    with TemporaryDirectory() as scratch:
        lite_file = Path(scratch, "network.tflite")
        lite_file.write_bytes(lite)
        network, _ = tf2onnx.convert.from_tflite(str(lite_file), opset=_OPSET)
    _rename(network)
    file.write_bytes(network.SerializeToString(deterministic=True))


def _rename(network: Any) -> None:
    """Name tensors by order of use: the converter's names, and with them the file's hash, differ from run to run."""
    graph = network.graph
    names = {graph.input[0].name: "ink", graph.output[0].name: "probabilities"}
    for index, node in enumerate(graph.node):
        node.name = f"{node.op_type}{index}"
        for used in (node.input, node.output):
            for at, name in enumerate(used):
                used[at] = names.setdefault(name, f"value{len(names)}")
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names[value.name]
    ordered = sorted(graph.initializer, key=lambda tensor: int(tensor.name.removeprefix("value")))
    del graph.initializer[:]
    graph.initializer.extend(ordered)


def references(model: keras.Model, temperature: float, seed: int) -> bytes:
    """Return an NPZ file of drawn digits with the trained network's probabilities."""
    random = np.random.default_rng((seed, 1))
    digits = drawn(REFERENCES, random)
    pictures = np.asarray(distorted(digits.pictures, random) * 255, np.uint8)
    out = BytesIO()
    np.savez_compressed(out, pictures=pictures, probabilities=probabilities(model, temperature, pictures))
    return out.getvalue()


def probabilities(model: keras.Model, temperature: float, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the probabilities that are served, with TensorFlow."""
    logits = np.asarray(model((pictures[..., None] / 255).astype(np.float32), training=False))
    return np.asarray(tf.nn.softmax(logits / temperature), np.float32)
