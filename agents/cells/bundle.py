"""Where the shipped bundle of the cell model lies, and what is in it."""

from pathlib import Path

FOLDER = Path(__file__).parent / "model"
FILE = "model.json"
NAME = "cell_traits"
