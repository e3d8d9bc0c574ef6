"""Location and file names of the shipped bundle of the digit model."""

from pathlib import Path

FOLDER = Path(__file__).parent / "model"
FILE = "model.onnx"
NAME = "mnist_model_0123456789"
"""A model is named after the digits that it was trained on. The `digits` of its card are its outputs, in order."""
