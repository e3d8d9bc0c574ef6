"""Deliver a model to its users: train, store in S3, register, pass the gate, and move the alias."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import Any

from streams.models import Bundle, check
from streams.models.version_order import ORDER, ORDERED
from streams.settings import Settings
from training.evaluation.gate import Verdict, allowed
from training.part import REPOSITORY, Order, Part
from training.registry import tracking
from training.registry.objects import Objects
from training.registry.versions import CALL, Registry
from training.report import Report

OUTCOME = "outcome.json"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a training."""

    model: str
    version: str
    dataset: str
    registered: str
    """Number of its version in the registry."""
    promoted: bool
    """Whether it serves from now on."""
    verdict: str
    """The verdict of the gate."""
    figures: Mapping[str, float]
    pictures: Mapping[str, str]
    """PNG files by name."""


def retrain(part: Part, settings: Settings, order: Order, report: Report, call: str = "", ordered: str = "") -> Outcome:
    """Train a model, and let it serve if it is not worse than the champion on what it claims and the order allows it.

    `call` is the id of the order, `ordered` its text (see `streams.models.version_order`). The outcome is stored beside the
    bundle's folder and returned when the same call is repeated, as after a worker was killed.

    Raises BadOrder, DataError, BadBundle, StoreUnavailable and MLflowUnavailable.
    """
    kept = order.folder.parent / OUTCOME
    if call and kept.exists():
        return Outcome(**json.loads(kept.read_text()))
    client, objects = tracking.connect(settings), Objects(settings)
    registry = Registry(client, settings, objects, part.slot)
    shipped = REPOSITORY / part.shipped
    with tracking.run(client, settings, part.slot, order.dataset, call) as run:
        report.heard = run.epoch
        shutil.rmtree(order.folder, ignore_errors=True)
        order.folder.mkdir(parents=True)
        trained = part.train(order, report)
        run.result(trained)
        registry.begin(shipped)
        bundle = check(order.folder)
        filled = {ORDER: ordered, ORDERED: f"{time():.3f}"} if ordered else {}
        entry = registry.add(bundle, {CALL: call} | filled, run.id)
        report.say(f"registered as version {entry.number} of {part.slot}; the gate compares it with the champion")
        champion = registry.champion()
        # Without an alias the shipped bundle serves, and is the one to beat.
        serves = objects.fetch(champion) if champion else check(shipped)
        verdict = allowed(_judged(part, bundle, serves, order.data), order.leave)
        registry.judged(entry, verdict.text)
        if verdict.passed:
            registry.promote(entry)
    outcome = Outcome(
        model=bundle.name,
        version=bundle.version,
        dataset=bundle.dataset,
        registered=str(entry.number),
        promoted=verdict.passed,
        verdict=verdict.text,
        figures=dict(trained.figures),
        pictures=_written(trained.pictures, order.folder.parent),
    )
    fresh = kept.with_suffix(".part")
    fresh.write_text(json.dumps(asdict(outcome), indent=1))
    fresh.replace(kept)
    shutil.rmtree(order.state, ignore_errors=True)
    return outcome


def _judged(part: Part, bundle: Bundle, champion: Bundle, data: Path) -> Verdict:
    if champion.version == bundle.version:
        return Verdict(True, "It is the champion: the same data, order and seeds gave the same model.")
    return part.judge(bundle.folder, champion.folder, data)


def _written(pictures: Mapping[str, bytes], folder: Path) -> dict[str, str]:
    paths: dict[str, Any] = {name: folder / f"{name}.png" for name in pictures}
    for name, data in pictures.items():
        paths[name].write_bytes(data)
    return {name: str(path) for name, path in paths.items()}
