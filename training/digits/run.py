"""A digit model from its order to a bundle: learn, calibrate, export, measure as it is served, write the cards."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from agents.digits.bundle import FILE
from agents.digits.reader import Reader
from training.digits import measure
from training.digits.card import LICENCE, markdown
from training.digits.export import export, probabilities, references
from training.digits.fit import Epoch, Plan, fit, logits, positions
from training.digits.options import Choice, choice
from training.digits.pictures.data import Labels, Split, split
from training.digits.pictures.examples import REPEAT, examples
from training.digits.reference import reference
from training.evaluation import plots
from training.evaluation.probabilities import Scores, softmax, temperature
from training.part import Made, Order
from training.recipe import finish, versions
from training.report import Report

REFERENCE = Path("tests/unit/agents/services/digit_reference.npz")
"""Pictures with the answers of the shipped network."""

_LIBRARIES = ("tensorflow-cpu", "keras", "numpy", "opencv-python-headless")


def train(order: Order, report: Report) -> Made:
    """Train a network of the ordered digits. Raises BadOrder and DataError."""
    cv2.setNumThreads(1)
    chosen, plan = choice(order.options), Plan(order.epochs)
    sets, corrections = _load(order, chosen, plan, report)
    report.say(f"{chosen.name}: {len(sets.train):,} pictures to learn from, {len(sets.validation):,} to choose by")

    def follow(epoch: Epoch) -> None:
        report.epoch(epoch.epoch, plan.epochs, loss=epoch.loss, validation=epoch.validation, seconds=epoch.seconds)

    model, course = fit(sets, chosen.digits, plan, order.state, follow)
    report.say("trained; it is exported and measured now")
    scores = logits(model, sets.validation).astype(np.float64)
    wanted = positions(sets.validation.labels, chosen.digits)
    fitted = temperature(scores, wanted, floor=measure.FLOOR)
    return finish(TrainedDigits(order, chosen, plan, sets, corrections, model, course, scores, wanted, fitted), order)


def _load(order: Order, chosen: Choice, plan: Plan, report: Report) -> tuple[Split, int]:
    """Read the pictures, with those that people corrected among the training set, and how many corrections are used."""
    sets = split(order.data, plan.seed, chosen.digits, chosen.pictures)
    corrected = examples(order.examples, chosen.digits)
    if order.examples:
        report.say(
            f"{corrected.used} corrections are learned from, each {REPEAT} times; {corrected.left} cannot be used"
        )
    return replace(sets, train=sets.train.and_also(corrected.digits)), corrected.used


@dataclass(frozen=True)
class TrainedDigits:
    """A trained network, see `training.recipe.Trained`."""

    order: Order
    chosen: Choice
    plan: Plan
    sets: Split
    corrections: int
    """Number of corrected pictures that were learned from."""
    model: keras.Model
    course: list[Epoch]
    scores: Scores
    """Logits of the validation pictures, one column for each chosen digit."""
    wanted: Labels
    """The right column of each validation picture."""
    temperature: float

    def export(self, folder: Path) -> None:
        """Write the network as ONNX."""
        export(self.model, self.temperature, folder / FILE)

    def card(self, folder: Path) -> dict[str, Any]:
        """Return the card without what is measured."""
        return {
            "name": self.chosen.name,
            "dataset": self.order.dataset,
            "licence": LICENCE,
            "digits": list(self.chosen.digits),
            "claims": self.chosen.claims,
            "bytes": (folder / FILE).stat().st_size,
            "parameters": self.model.count_params(),
            "temperature": self.temperature,
            "plan": asdict(self.plan),
            "split": {
                "train": len(self.sets.train),
                "corrections": self.corrections,
                "validation": len(self.sets.validation),
                "test": len(self.sets.test),
            },
            "libraries": versions(_LIBRARIES),
            "course": [
                {"epoch": epoch.epoch, "loss": epoch.loss, "validation": epoch.validation} for epoch in self.course
            ],
        }

    def metrics(self, folder: Path) -> dict[str, Any]:
        """Measure the network as OpenCV reads it; the shipped one also on digits of other origin."""
        test, digits = self.sets.test, self.chosen.digits
        trained = probabilities(self.model, self.temperature, test.pictures).astype(np.float64)
        validation = measure.share(softmax(self.scores / self.temperature), self.wanted)
        metrics = measure.figures(measure.answers(self._reader, test), trained, test, digits)
        metrics["accuracy"]["validation"] = validation.to_json()
        if self.order.ship:
            from training.digits.elsewhere import elsewhere  # scikit-learn is needed only for what is shipped

            random = np.random.default_rng((self.plan.seed, 2))
            shares, metrics["pairs_refused"] = elsewhere(self._reader, test, random)
            metrics["accuracy"] |= shares
        return metrics

    def reference(self, folder: Path) -> dict[str, Any]:
        """Return what drift is measured against."""
        return reference(self._reader, self.sets.validation)

    def params(self) -> dict[str, Any]:
        """Return what decided the result."""
        return {
            **asdict(self.plan),
            "digits": self.chosen.text,
            "pictures": len(self.sets.train),
            "temperature": self.temperature,
        }

    def figures(self, card: Mapping[str, Any]) -> dict[str, float]:
        """Return the metrics by flat names."""
        metrics = card["metrics"]
        accuracy = metrics["accuracy"]
        return {
            "test.accuracy": accuracy["mnist-test"]["rate"],
            "test.accuracy.all": accuracy.get("mnist-test-all", accuracy["mnist-test"])["rate"],
            "validation.accuracy": accuracy["validation"]["rate"],
            "test.calibration_error": metrics["calibration"],
            "test.surprise": metrics["surprise"],
            **{f"test.recall.{digit}": metrics["recall"][digit]["rate"] for digit in self.chosen.digits},
        }

    def plots(self, card: Mapping[str, Any]) -> dict[str, bytes]:
        """Draw the confusion table, the course of the training and the recalls."""
        table = np.array(card["metrics"]["confusion"], np.int64)
        title = f"{card['name']} {card['version']}: MNIST's 10,000 test pictures"
        curves = {
            "loss": [epoch["loss"] for epoch in card["course"]],
            "accuracy, validation": [epoch["validation"] for epoch in card["course"]],
        }
        recalls = {str(digit): card["metrics"]["recall"][digit] for digit in self.chosen.digits}
        intervals = {name: (recall["rate"], recall["low"], recall["high"]) for name, recall in recalls.items()}
        return {
            "confusion": plots.confusion(table, [str(digit) for digit in range(10)], title),
            "course": plots.course(curves),
            "recall": plots.shares(intervals, "recall on the test pictures, with 95 % intervals"),
        }

    def page(self, card: Mapping[str, Any]) -> str:
        """Write the card for people."""
        return markdown(card)

    def beside(self) -> dict[Path, bytes]:
        """Return drawn digits with the network's answers, for tests."""
        return {REFERENCE: references(self.model, self.temperature, self.plan.seed)}

    @cached_property
    def _reader(self) -> Reader:
        """The network as it is served; to be read once its card is written."""
        return Reader(self.order.folder)
