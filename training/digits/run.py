"""From the data to the shipped files: train, calibrate, export, measure, write the cards."""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.datasets import load_digits

from agents.digits.models import FILE, FOLDER, SHIPPED
from agents.digits.reader import Reader
from streams.datasets import of_catalogue
from training.bundle import write
from training.digits import measure, scenes
from training.digits.card import markdown
from training.digits.data import Split, split
from training.digits.export import export, probabilities, write_references
from training.digits.fit import Epoch, Plan, fit, logits

REFERENCE = Path("tests/unit/agents/digit_reference.npz")
PAGE = Path(f"docs/models/{SHIPPED}.md")

_PHOTOS, _LETTERS = 1000, 500


def run(data: Path, state: Path, top: Path, epochs: int, say: Callable[[str], None]) -> None:
    """Trains the shipped model and writes it below `top`. What was cut off in `state` goes on. Raises DataError."""
    cv2.setNumThreads(1)
    plan = Plan(epochs)
    sets = split(data, plan.seed)
    say(f"digits: {len(sets.train):,} to learn from, {epochs} epochs; state is kept in {state}")

    def told(one: Epoch) -> None:
        say(f"digits: epoch {one.epoch} of {epochs}: validation {one.validation:.2%}, {one.seconds:.0f} s")

    model, course = fit(sets, plan, state, told)
    chosen = logits(model, sets.validation).astype(np.float64)
    temperature = measure.temperature(chosen, sets.validation.labels)
    folder = top / FOLDER.relative_to(FOLDER.parents[2])
    export(model, temperature, folder)
    card: dict[str, Any] = {
        "name": SHIPPED,
        "licence": "Apache-2.0, as the project; MNIST, which it learned from, is to be credited",
        "bytes": (folder / FILE).stat().st_size,
        "parameters": model.count_params(),
        "dataset": of_catalogue("mnist").label,
        "digits": list(range(10)),
        "temperature": temperature,
        "plan": asdict(plan),
        "split": {"train": len(sets.train), "validation": len(sets.validation), "test": len(sets.test)},
        "libraries": {name: version(name) for name in ("tensorflow-cpu", "keras", "numpy", "opencv-python-headless")},
        "course": [{"epoch": one.epoch, "loss": one.loss, "validation": one.validation} for one in course],
    }
    write(folder, {**card, "metrics": {}})  # what is measured is the bundle, as it is served
    wanted = probabilities(model, temperature, sets.test.pictures).astype(np.float64)
    card["metrics"] = figures(Reader(folder), sets, measure.softmax(chosen / temperature), wanted, plan.seed)
    card = write(folder, card)
    write_references(model, temperature, top / REFERENCE, plan.seed)
    (top / PAGE).parent.mkdir(parents=True, exist_ok=True)
    (top / PAGE).write_text(markdown(card), encoding="utf-8")
    shutil.rmtree(state)
    accuracy = card["metrics"]["accuracy"]["mnist-test"]
    say(f"digits: {accuracy['right']:,} of {accuracy['of']:,} test pictures right; see {PAGE}")


def figures(reader: Reader, sets: Split, chosen: measure.Scores, wanted: measure.Scores, seed: int) -> dict[str, Any]:
    """Everything that is measured; `wanted` is what the trained network says of the test set."""
    test = sets.test
    found = np.array([reader.read(picture).probabilities for picture in test.pictures])
    random = np.random.default_rng((seed, 2))
    table = measure.confusion(found, test.labels)
    other = load_digits()
    some = test.at(random.permutation(len(test))[:_PHOTOS])
    through = {
        "mnist-test-files": scenes.files(test),
        "photos": scenes.photos(some, random),
        "letters": scenes.letters(_LETTERS, random),
        "scanned": scenes.scanned(other.images, other.target),
    }
    accuracy = {name: measure.through_service(reader, pictures) for name, pictures in through.items()}
    two = measure.through_service(reader, scenes.pairs(some, random))
    accuracy["mnist-test"] = measure.share(found, test.labels)
    accuracy["validation"] = measure.share(chosen, sets.validation.labels)
    return {
        "accuracy": {name: one.to_json() for name, one in accuracy.items()},
        "pairs_refused": measure.Share(two.refused, two.of).to_json(),
        "recall": [measure.Share(int(table[at, at]), int(table[at].sum())).to_json() for at in range(10)],
        "confusion": table.tolist(),
        "calibration": measure.calibration_error(found, test.labels),
        "surprise": measure.surprise(found, test.labels),
        "served_difference": float(np.abs(found - wanted).max()),
        "served_disagreements": int((found.argmax(axis=1) != wanted.argmax(axis=1)).sum()),
    }
