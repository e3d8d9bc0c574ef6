"""From the data to a bundle: measure traits, cross-validate, learn, measure as it is served, write the cards."""

from dataclasses import asdict
from importlib.metadata import version
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
from training.cells.pictures.through import overlaps, refused, told
from training.cells.reference import reference
from training.cells.references import references
from training.evaluation import plots
from training.evaluation.probabilities import softmax
from training.part import Made, Order
from training.registry import bundle
from training.report import Report

REFERENCE = Path("tests/unit/agents/services/cell_reference.npz")
"""Drawn cells with the answers of the model that is shipped."""


def train(order: Order, report: Report) -> Made:
    """The model of all training originals. Raises DataError."""
    cv2.setNumThreads(1)
    plan = Plan(copies=copies(order.options))
    smears = learned_from(order.data)
    report.say(f"{len(smears)} originals to learn from, {plan.copies} varied copies of each")
    extra = corrected(order.examples)
    if len(extra) < len(order.examples):
        report.say(f"{len(order.examples) - len(extra)} of {len(order.examples)} corrections cannot be learned from")
    cells = [*cut(smears), *(pixels for pixels, _ in extra)]
    labels = [*(one.label for one in smears), *(label for _, label in extra)]
    known = samples(cells, labels, plan.copies, np.random.default_rng(plan.seed))
    report.say(f"{len(known.names)} traits measured; {len(set(known.groups.tolist()))} different cells")
    course = cross_validated(known, plan)
    report.say(f"balanced accuracy by strength, cross-validated: {course.tried}; {course.strength} is taken")
    learned = Learned(known, np.arange(len(known)), course.strength)
    weights = learned.weights(known.names, course.temperature)
    (order.folder / FILE).write_text(weights.to_json(), encoding="utf-8")
    report.epoch(1, 1, validation=course.tried[course.strength])
    card: dict[str, Any] = {
        "name": NAME,
        "dataset": order.dataset,
        "licence": LICENCE,
        "notice": "not for medical use",
        "types": [str(one) for one in TYPES],
        "bytes": (order.folder / FILE).stat().st_size,
        "traits": len(known.names),
        "temperature": course.temperature,
        "plan": asdict(plan),
        "learned_from": _counts(known),
        "corrections": len(extra),
        "libraries": {name: version(name) for name in ("scikit-learn", "numpy", "opencv-python-headless", "pillow")},
        "metrics": {},
    }
    bundle.write(order.folder, card)
    card["reference"] = reference(learned, course)
    card["metrics"] = _measured(order, known, course, learned, cells)
    whole = bundle.write(order.folder, card)
    test = whole["metrics"]["test"]
    return Made(
        card=whole,
        params={**asdict(plan), "strength": course.strength, "temperature": course.temperature, "pictures": len(known)},
        figures={
            "test.balanced_accuracy": test["balanced_accuracy"],
            "test.accuracy": test["accuracy"]["rate"],
            "test.calibration_error": test["calibration"],
            "validation.balanced_accuracy": course.tried[course.strength],
            **{f"test.recall.{one}": test["recall"][at]["rate"] for at, one in enumerate(TYPES)},
        },
        pictures=_drawn(whole),
        page=markdown(whole) if order.ship else "",
        beside={REFERENCE: references(learned, known.names, course.temperature, plan.seed)} if order.ship else {},
    )


def _measured(order: Order, known: Samples, course: Course, learned: Learned, cells: list[Any]) -> dict[str, Any]:
    model = Classifier(order.folder)
    test = originals(order.data, "test")
    said = told(model, test)
    seen_before = shared(cut(test), cells)
    unseen = measure.Said(softmax(course.scores[0] / course.temperature), known.labels)
    found = {
        "test": measure.figures(said, SEED),
        "test_without_twins": measure.figures(said.at(~seen_before), SEED),
        "cross_validated": {
            **measure.figures(unseen, SEED),
            "balanced_accuracy": course.tried[course.strength],
            "spread": course.spread,
            "tried": {str(one): value for one, value in course.tried.items()},
        },
        "served_difference": _difference(model, learned, known, course.temperature),
    }
    if order.ship:
        boxed = {"train": learned_from(order.data), "test": test}
        found["boxes"] = {name: measure.boxes(overlaps(some)) for name, some in boxed.items()}
        found["empty_refused"] = measure.share(*refused(test))
        found["augmented"] = measure.figures(told(model, augmented(order.data)), SEED)
        found["tecom"] = measure.figures(told(model, tecom(order.data)), SEED)
    return found


def _difference(model: Classifier, learned: Learned, known: Samples, temperature: float) -> float:
    """Between what is served and what was trained, over everything that was learned from."""
    rows = known.traits[:, 0]
    trained = softmax(learned.scores(rows) / temperature)
    served = [model.tell(dict(zip(known.names, row.tolist(), strict=True))) for row in rows]
    return float(np.abs(np.array([[one.probabilities[kind] for kind in TYPES] for one in served]) - trained).max())


def _drawn(card: dict[str, Any]) -> dict[str, bytes]:
    test, title = card["metrics"]["test"], f"{card['name']} {card['version']}: BCCD's test originals"
    table = np.array(test["confusion"], np.int64)[:, : len(TYPES)]
    rows = {str(kind): (one["rate"], one["low"], one["high"]) for kind, one in zip(TYPES, test["recall"], strict=True)}
    return {
        "confusion": plots.confusion(table, list(map(str, TYPES)), title),
        "recall": plots.shares(rows, "recall on the test originals, with 95 % intervals"),
    }


def _counts(known: Samples) -> dict[str, int]:
    return {str(one): int((known.labels == at).sum()) for at, one in enumerate(TYPES)}
