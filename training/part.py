"""The shape of a part: one model that the project trains, behind the same few functions as every other.

A part is a folder of `training` and one value of `Part` (see `training.parts`). It only learns, measures and compares.
Epochs, MLflow, bundles in S3, the gate, the alias and the files that are shipped are handled once for all parts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.errors import Blame, MillraceError
from training.evaluation.gate import USUAL, Leave, Verdict
from training.report import Report

REPOSITORY = Path(__file__).parents[1]
"""Its top. Training is no part of the wheel: it runs from the repository."""


class BadOrder(MillraceError):
    """What is asked for cannot be trained; the message names the option, its value and what it may be."""

    blame = Blame.CALLER


class RegistryUnavailable(MillraceError):
    """The registry of models cannot be reached."""

    blame = Blame.NOBODY


@dataclass(frozen=True)
class Order:
    """What is asked of a part."""

    folder: Path
    """Where the bundle is to be written: an empty folder."""
    state: Path
    """A folder of this same order, for what a training that is cut off leaves to go on from; it may not exist yet."""
    data: Path
    """A data directory: files by the names of the data catalogue, which `streams.datasets.download.fetch` brings when they are missing."""
    dataset: str
    """The version that is learned from, `mnist@fa6749934515`; the part puts it into its card."""
    epochs: int
    """At least 1. What an epoch is, the part decides; one that learns in a single step has one."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Of `Part.options`, as they were given; the part reads them, and raises BadOrder."""
    examples: tuple[tuple[Any, bytes], ...] = ()
    """What people corrected, when the dataset version has corrections: the label, and the kept input (a picture file, or JSON),
    in a fixed order. A part adds what it can learn from to its training set, and to no other, and says how many it left out."""
    leave: Leave = USUAL
    """What it may do when it is registered and passes the gate."""
    ship: bool = False
    """Whether this is the model that the project ships: everything is measured that its card is to say."""


@dataclass(frozen=True)
class Made:
    """What a part made of an order, beside the bundle in `Order.folder` (see `training.registry.bundle`)."""

    card: Mapping[str, Any]
    """As it stands in the bundle, with `name`, `version`, `dataset`, `licence`, `files` and `metrics`."""
    params: Mapping[str, Any]
    """What decided the result: seeds, rates, numbers of pictures. For MLflow."""
    figures: Mapping[str, float]
    """What came out, flat, by names such as `test.accuracy`. For MLflow, and for whoever asked for the training."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """PNG files by name without ending, such as `confusion` and `course`."""
    page: str = ""
    """The card for people, in Markdown."""
    beside: Mapping[Path, bytes] = field(default_factory=dict)
    """More files that a shipped model brings, by their path in the repository: answers for tests, say."""


@dataclass(frozen=True)
class Part:
    """One model."""

    name: str
    """What it is called on the command line: `digits`."""
    slot: str
    """The service whose model it is: what it is registered under."""
    shipped: Path
    """The bundle that is shipped: a folder in the repository, relative to its top."""
    page: Path
    """The shipped model's card for people, relative to the top of the repository."""
    dataset: str
    """The dataset's name in the data catalogue."""
    epochs: int
    """As many as the shipped model had."""
    train: Callable[[Order, Report], Made]
    """Learns, writes the bundle, and measures it as it is served. Calls `Report.epoch` after each epoch. Raises BadOrder, DataError."""
    judge: Callable[[Path, Path, Path], Verdict]
    """Whether the bundle in the first folder may take the place of that in the second, on test data of the data directory
    in the third that neither has learned from, and on what the first one claims. See `training.evaluation.gate`."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Further options with their help: `--digits 0,1,2` is `{"digits": …}`."""
    check: Callable[[Mapping[str, str]], object] = lambda _: None
    """Looks at options before anything is begun. Raises BadOrder for those that make no sense."""
