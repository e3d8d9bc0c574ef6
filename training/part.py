"""A part: one model that the project trains, behind the same functions as every other.

A part is a folder of `training` and one value of `Part` (see `training.parts`). It learns, measures and compares; epochs, MLflow,
bundles in S3, the gate, the alias and shipped files are handled once for all parts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.errors import Blame, MillraceError
from training.evaluation.gate import USUAL, Leave, Verdict
from training.report import Report

REPOSITORY = Path(__file__).parents[1]
"""Root of the repository, from which training runs: it is not part of the wheel."""


class BadOrder(MillraceError):
    """Raised for an order that cannot be trained; the message names the option, its value and what is allowed."""

    blame = Blame.CALLER


class MLflowUnavailable(MillraceError):
    """Raised when the model registry cannot be reached."""

    blame = Blame.NOBODY


@dataclass(frozen=True)
class Order:
    """An order to train a model of a part."""

    folder: Path
    """Empty folder for the bundle."""
    state: Path
    """Folder of this order's checkpoints, from which an interrupted training continues; it may not exist yet."""
    data: Path
    """Data directory: files by their names in the data catalogue; `streams.datasets.download.fetch` downloads missing ones."""
    dataset: str
    """Dataset version to learn from, `mnist@fa6749934515`; the part writes it into its card."""
    epochs: int
    """At least 1. The part defines what an epoch is; a part that learns in a single step has one."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Values of `Part.options` as text; the part parses them, and raises BadOrder."""
    examples: tuple[tuple[Any, bytes], ...] = ()
    """People's corrections in the dataset version, in a fixed order: the label and the stored input (a picture file, or JSON).
    A part adds usable ones to its training set only, and reports how many it left out."""
    leave: Leave = USUAL
    """Permissions of the model once it is registered and passes the gate."""
    ship: bool = False
    """True for the shipped model, for which everything on its card is measured."""


@dataclass(frozen=True)
class Made:
    """The result of an order, beside the bundle in `Order.folder` (see `training.registry.bundle`)."""

    card: Mapping[str, Any]
    """The card in the bundle, with `name`, `version`, `dataset`, `licence`, `files` and `metrics`."""
    params: Mapping[str, Any]
    """Parameters of the training for MLflow: seeds, rates, numbers of pictures."""
    figures: Mapping[str, float]
    """Metrics by flat names such as `test.accuracy`, for MLflow and the caller."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """PNG files by name without suffix, such as `confusion` and `course`."""
    page: str = ""
    """The card for people, in Markdown; empty if there is none."""
    beside: Mapping[Path, bytes] = field(default_factory=dict)
    """More files of a shipped model by their path in the repository, such as reference answers for tests."""


@dataclass(frozen=True)
class Part:
    """One model that the project trains."""

    name: str
    """Name on the command line: `digits`."""
    slot: str
    """The service whose model it is, and its name in the registry."""
    shipped: Path
    """Folder of the shipped bundle, relative to the root of the repository."""
    page: Path
    """The shipped model's card for people, relative to the root of the repository."""
    dataset: str
    """The dataset's name in the data catalogue."""
    epochs: int
    """Number of epochs of the shipped model."""
    train: Callable[[Order, Report], Made]
    """Train, write the bundle, and measure it as it is served. Calls `Report.epoch` after each epoch. Raises BadOrder and DataError."""
    judge: Callable[[Path, Path, Path], Verdict]
    """Compare a candidate's bundle (first folder) with the champion's (second), on test data of the data directory (third) that
    neither has learned from, for the classes that the candidate claims. See `training.evaluation.gate`."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Further options with their help: `--digits 0,1,2` is `{"digits": …}`."""
    check: Callable[[Mapping[str, str]], object] = lambda _: None
    """Check options before a training starts. Raises BadOrder for invalid ones."""
