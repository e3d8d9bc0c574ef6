"""A cell model from its order to a bundle: measure traits, cross-validate, learn, measure as it is served, write the cards."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agents.cells.bundle import FILE, NAME
from agents.cells.classifier import Classifier
from training.cells import measure
from training.cells.card import LICENCE, markdown
from training.cells.fit import SEED, Course, Learned, Plan, cross_validated
from training.cells.options import copies
from training.cells.pictures.data import augmented, learned_from, originals, tecom
from training.cells.pictures.samples import TYPES, Samples, corrected, cut, samples, shared
from training.cells.pictures.through import classified, overlaps, refused
from training.cells.reference import reference
from training.cells.references import references
from training.evaluation import plots
from training.evaluation.probabilities import softmax
from training.part import Made, Order
from training.recipe import finish, versions
from training.report import Report

REFERENCE = Path("tests/unit/agents/services/cell_reference.npz")
"""Drawn cells with the answers of the shipped model."""

_LIBRARIES = ("scikit-learn", "numpy", "opencv-python-headless", "pillow")


def train(order: Order, report: Report) -> Made:
    """Train a model of all training originals. Raises BadOrder and DataError."""
    cv2.setNumThreads(1)
    plan = Plan(copies=copies(order.options))
    smears = learned_from(order.data)
    report.say(f"{len(smears)} originals to learn from, {plan.copies} varied copies of each")
    extra = corrected(order.examples)
    if len(extra) < len(order.examples):
        report.say(f"{len(order.examples) - len(extra)} of {len(order.examples)} corrections cannot be learned from")
    cells = [*cut(smears), *(pixels for pixels, _ in extra)]
    labels = [*(smear.label for smear in smears), *(label for _, label in extra)]
    known = samples(cells, labels, plan.copies, np.random.default_rng(plan.seed))
    report.say(f"{len(known.names)} traits measured; {len(set(known.groups.tolist()))} different cells")
    course = cross_validated(known, plan)
    report.say(f"balanced accuracy by strength, cross-validated: {course.tried}; {course.strength} is taken")
    learned = Learned(known, np.arange(len(known)), course.strength)
    report.epoch(1, 1, validation=course.tried[course.strength])
    return finish(TrainedCells(order, plan, cells, known, course, learned, len(extra)), order)


@dataclass(frozen=True)
class TrainedCells:
    """A trained cell model, see `training.recipe.Trained`."""

    order: Order
    plan: Plan
    cells: list[Any]
    """Pixels of the cells that were learned from."""
    known: Samples
    course: Course
    learned: Learned
    corrections: int
    """Number of corrected cells among them."""

    def export(self, folder: Path) -> None:
        """Write the weights as JSON."""
        weights = self.learned.weights(self.known.names, self.course.temperature)
        (folder / FILE).write_text(weights.to_json(), encoding="utf-8")

    def card(self, folder: Path) -> dict[str, Any]:
        """Return the card without what is measured."""
        return {
            "name": NAME,
            "dataset": self.order.dataset,
            "licence": LICENCE,
            "notice": "not for medical use",
            "types": [str(kind) for kind in TYPES],
            "bytes": (folder / FILE).stat().st_size,
            "traits": len(self.known.names),
            "temperature": self.course.temperature,
            "plan": asdict(self.plan),
            "learned_from": {str(kind): int((self.known.labels == at).sum()) for at, kind in enumerate(TYPES)},
            "corrections": self.corrections,
            "libraries": versions(_LIBRARIES),
        }

    def metrics(self, folder: Path) -> dict[str, Any]:
        """Measure the model through both services; the shipped one also on pictures of other origin."""
        model, course = Classifier(folder), self.course
        test = originals(self.order.data, "test")
        answers = classified(model, test)
        twins = shared(cut(test), self.cells)
        unseen = measure.Said(softmax(course.scores[0] / course.temperature), self.known.labels)
        metrics = {
            "test": measure.figures(answers, SEED),
            "test_without_twins": measure.figures(answers.at(~twins), SEED),
            "cross_validated": {
                **measure.figures(unseen, SEED),
                "balanced_accuracy": course.tried[course.strength],
                "spread": course.spread,
                "tried": {str(strength): accuracy for strength, accuracy in course.tried.items()},
            },
            "served_difference": self._difference(model),
        }
        if self.order.ship:
            boxed = {"train": learned_from(self.order.data), "test": test}
            metrics["boxes"] = {name: measure.boxes(overlaps(smears)) for name, smears in boxed.items()}
            metrics["empty_refused"] = measure.share(*refused(test))
            metrics["augmented"] = measure.figures(classified(model, augmented(self.order.data)), SEED)
            metrics["tecom"] = measure.figures(classified(model, tecom(self.order.data)), SEED)
        return metrics

    def reference(self, folder: Path) -> dict[str, Any]:
        """Return what drift is measured against."""
        return reference(self.learned, self.course)

    def params(self) -> dict[str, Any]:
        """Return what decided the result."""
        return {
            **asdict(self.plan),
            "strength": self.course.strength,
            "temperature": self.course.temperature,
            "pictures": len(self.known),
        }

    def figures(self, card: Mapping[str, Any]) -> dict[str, float]:
        """Return the metrics by flat names."""
        test = card["metrics"]["test"]
        return {
            "test.balanced_accuracy": test["balanced_accuracy"],
            "test.accuracy": test["accuracy"]["rate"],
            "test.calibration_error": test["calibration"],
            "validation.balanced_accuracy": self.course.tried[self.course.strength],
            **{f"test.recall.{kind}": test["recall"][at]["rate"] for at, kind in enumerate(TYPES)},
        }

    def plots(self, card: Mapping[str, Any]) -> dict[str, bytes]:
        """Draw the confusion table and the recalls."""
        test, title = card["metrics"]["test"], f"{card['name']} {card['version']}: BCCD's test originals"
        table = np.array(test["confusion"], np.int64)[:, : len(TYPES)]
        recalls = zip(TYPES, test["recall"], strict=True)
        intervals = {str(kind): (recall["rate"], recall["low"], recall["high"]) for kind, recall in recalls}
        return {
            "confusion": plots.confusion(table, list(map(str, TYPES)), title),
            "recall": plots.shares(intervals, "recall on the test originals, with 95 % intervals"),
        }

    def page(self, card: Mapping[str, Any]) -> str:
        """Write the card for people; empty for a model that is not shipped, which is measured on less than the page shows."""
        return markdown(card) if self.order.ship else ""

    def beside(self) -> dict[Path, bytes]:
        """Return drawn cells with the model's answers, for tests."""
        return {REFERENCE: references(self.learned, self.known.names, self.course.temperature, self.plan.seed)}

    def _difference(self, model: Classifier) -> float:
        """Return the largest difference between served and trained probabilities over all training cells."""
        rows = self.known.traits[:, 0]
        trained = softmax(self.learned.scores(rows) / self.course.temperature)
        answers = [model.tell(dict(zip(self.known.names, row.tolist(), strict=True))) for row in rows]
        served = np.array([[answer.probabilities[kind] for kind in TYPES] for answer in answers])
        return float(np.abs(served - trained).max())
