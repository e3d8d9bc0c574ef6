"""Location and file names of the shipped bundle of the cell model."""

from pathlib import Path

FOLDER = Path(__file__).parent / "model"
FILE = "model.json"
NAME = "cell_traits"
