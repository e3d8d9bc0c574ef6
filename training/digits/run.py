"""From the data to a bundle: train, calibrate, export, measure as it is served, write the cards."""

from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agents.digits.bundle import FILE
from agents.digits.reader import Reader
from training.digits import measure
from training.digits.card import LICENCE, markdown
from training.digits.export import export, probabilities, references
from training.digits.fit import Epoch, Plan, fit, logits, positions
from training.digits.options import Choice, choice
from training.digits.pictures.data import split
from training.digits.pictures.examples import REPEAT, examples
from training.digits.reference import reference
from training.evaluation import plots
from training.evaluation.probabilities import softmax, temperature
from training.part import Made, Order
from training.registry import bundle
from training.report import Report

REFERENCE = Path("tests/unit/agents/services/digit_reference.npz")
"""Pictures with the answers of the network that is shipped."""


def train(order: Order, report: Report) -> Made:
    """A network of the digits that are ordered. Raises BadOrder and DataError."""
    cv2.setNumThreads(1)
    chosen, plan = choice(order.options), Plan(order.epochs)
    sets = split(order.data, plan.seed, chosen.digits, chosen.pictures)
    corrected = examples(order.examples, chosen.digits)
    sets = replace(sets, train=sets.train.and_also(corrected.digits))
    if order.examples:
        report.say(
            f"{corrected.used} corrections are learned from, each {REPEAT} times; {corrected.left} cannot be used"
        )
    report.say(f"{chosen.name}: {len(sets.train):,} pictures to learn from, {len(sets.validation):,} to choose by")

    def told(one: Epoch) -> None:
        report.epoch(one.epoch, plan.epochs, loss=one.loss, validation=one.validation, seconds=one.seconds)

    model, course = fit(sets, chosen.digits, plan, order.state, told)
    report.say("trained; it is exported and measured now")
    said = logits(model, sets.validation).astype(np.float64)
    wanted = positions(sets.validation.labels, chosen.digits)
    fitted = temperature(said, wanted, floor=measure.FLOOR)
    export(model, fitted, order.folder / FILE)
    card: dict[str, Any] = {
        "name": chosen.name,
        "dataset": order.dataset,
        "licence": LICENCE,
        "digits": list(chosen.digits),
        "claims": chosen.claims,
        "bytes": (order.folder / FILE).stat().st_size,
        "parameters": model.count_params(),
        "temperature": fitted,
        "plan": asdict(plan),
        "split": {
            "train": len(sets.train),
            "corrections": corrected.used,
            "validation": len(sets.validation),
            "test": len(sets.test),
        },
        "libraries": {name: version(name) for name in ("tensorflow-cpu", "keras", "numpy", "opencv-python-headless")},
        "course": [{"epoch": one.epoch, "loss": one.loss, "validation": one.validation} for one in course],
        "metrics": {},
    }
    bundle.write(order.folder, card)
    reader = Reader(order.folder)
    trained = probabilities(model, fitted, sets.test.pictures).astype(np.float64)
    validation = measure.share(softmax(said / fitted), wanted)
    found = measure.answers(reader, sets.test)
    card["metrics"] = metrics = measure.figures(found, trained, sets.test, chosen.digits)
    metrics["accuracy"]["validation"] = validation.to_json()
    if order.ship:
        from training.digits.elsewhere import elsewhere  # scikit-learn is for what is shipped

        shares, metrics["pairs_refused"] = elsewhere(reader, sets.test, np.random.default_rng((plan.seed, 2)))
        metrics["accuracy"] |= shares
    card["reference"] = reference(reader, sets.validation)
    whole = bundle.write(order.folder, card)
    return Made(
        card=whole,
        params={**asdict(plan), "digits": chosen.text, "pictures": len(sets.train), "temperature": fitted},
        figures=_flat(whole["metrics"], chosen),
        pictures=_drawn(whole, chosen),
        page=markdown(whole),
        beside={REFERENCE: references(model, fitted, plan.seed)} if order.ship else {},
    )


def _flat(metrics: dict[str, Any], chosen: Choice) -> dict[str, float]:
    known = {f"test.recall.{digit}": metrics["recall"][digit]["rate"] for digit in chosen.digits}
    return {
        "test.accuracy": metrics["accuracy"]["mnist-test"]["rate"],
        "test.accuracy.all": metrics["accuracy"].get("mnist-test-all", metrics["accuracy"]["mnist-test"])["rate"],
        "validation.accuracy": metrics["accuracy"]["validation"]["rate"],
        "test.calibration_error": metrics["calibration"],
        "test.surprise": metrics["surprise"],
        **known,
    }


def _drawn(card: dict[str, Any], chosen: Choice) -> dict[str, bytes]:
    table = np.array(card["metrics"]["confusion"], np.int64)
    title = f"{card['name']} {card['version']}: MNIST's 10,000 test pictures"
    curves = {
        "loss": [one["loss"] for one in card["course"]],
        "accuracy, validation": [one["validation"] for one in card["course"]],
    }
    recalls = {str(digit): card["metrics"]["recall"][digit] for digit in chosen.digits}
    return {
        "confusion": plots.confusion(table, [str(digit) for digit in range(10)], title),
        "course": plots.course(curves),
        "recall": plots.shares(
            {name: (one["rate"], one["low"], one["high"]) for name, one in recalls.items()},
            "recall on the test pictures, with 95 % intervals",
        ),
    }
