"""The whole way of a model to its users: train, put into S3, register, pass the gate, and move the alias."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from streams.models import Bundle, check
from streams.settings import Settings
from training import tracking
from training.gate import Verdict
from training.objects import Objects
from training.part import REPOSITORY, Order, Part
from training.registry import Registry
from training.report import Report

OUTCOME = "outcome.json"


@dataclass(frozen=True)
class Outcome:
    """What became of a training."""

    model: str
    version: str
    dataset: str
    registered: str
    """The number of its version in the registry."""
    promoted: bool
    """Whether it serves from now on."""
    verdict: str
    """What the gate said."""
    figures: Mapping[str, float]
    pictures: Mapping[str, str]
    """PNG files by name."""


def retrain(part: Part, settings: Settings, order: Order, call: str, report: Report) -> Outcome:
    """Trains, and lets the model serve if it is not worse than the champion on what it claims.

    The outcome is kept beside the bundle's folder: the same call asked for again, as after a worker was killed, is given it. Raises
    BadOrder, DataError, BadBundle, StoreAway and RegistryAway.
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
        made = part.train(order, report)
        run.made(made)
        registry.found(shipped)
        bundle = check(order.folder)
        entry = registry.add(bundle, {"millrace.call": call}, run.id)
        report.say(f"registered as version {entry.number} of {part.slot}; the gate compares it with the champion")
        verdict = _judged(part, registry, bundle, shipped, order.data)
        registry.judged(entry, verdict.text)
        if verdict.passed:
            registry.promote(entry)
    outcome = Outcome(
        model=bundle.name,
        version=bundle.version,
        dataset=bundle.dataset,
        registered=entry.number,
        promoted=verdict.passed,
        verdict=verdict.text,
        figures=dict(made.figures),
        pictures=_written(made.pictures, order.folder.parent),
    )
    fresh = kept.with_suffix(".part")
    fresh.write_text(json.dumps(asdict(outcome), indent=1))
    fresh.replace(kept)
    shutil.rmtree(order.state, ignore_errors=True)
    return outcome


def _judged(part: Part, registry: Registry, bundle: Bundle, shipped: Path, data: Path) -> Verdict:
    """Against the version with the alias; where that was taken away the shipped bundle serves, and is the one to beat."""
    champion = registry.champion()
    if champion is not None and champion.version == bundle.version:
        return Verdict(True, "It is the champion: the same data, order and seeds gave the same model.")
    if champion is None:
        return part.judge(bundle.folder, shipped, data)
    with TemporaryDirectory() as scratch:
        return part.judge(bundle.folder, registry.fetch(champion, Path(scratch)).folder, data)


def _written(pictures: Mapping[str, bytes], folder: Path) -> dict[str, str]:
    paths: dict[str, Any] = {name: folder / f"{name}.png" for name in pictures}
    for name, data in pictures.items():
        paths[name].write_bytes(data)
    return {name: str(path) for name, path in paths.items()}
