"""The networks that read digits: which file serves, and what its card says of it. Loads none."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from streams.model_status import ModelStatus

FOLDER = Path(__file__).parent / "model"

SHIPPED = "mnist_model_0123456789"
"""Models are named after the digits that they were trained on."""


@dataclass(frozen=True)
class Card:
    """What `training` wrote beside a network."""

    name: str
    version: str
    sha256: str
    """Of the network's file."""
    dataset: str
    """The dataset version that it learned from: `mnist@` and twelve digits of its manifest's hash."""
    digits: tuple[int, ...]
    """What its outputs stand for, in their order."""


@cache
def card(folder: Path = FOLDER, name: str = SHIPPED) -> Card:
    """The card of a model. Raises OSError, ValueError and KeyError for a model that is not whole."""
    text = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return Card(text["name"], text["version"], text["sha256"], text["dataset"], tuple(text["digits"]))


def network_file(folder: Path = FOLDER, name: str = SHIPPED) -> Path:
    """Where the network is."""
    return folder / f"{name}.onnx"


def digits_status() -> tuple[ModelStatus, ...]:
    """What the catalogue of services says about it."""
    try:
        known = card()
        network_file().stat()
    except (OSError, ValueError, KeyError) as error:
        return (ModelStatus(SHIPPED, "", ready=False, detail=f"no digit can be read: {error}. `make train` makes it"),)
    return (ModelStatus(known.name, known.version, ready=True),)
