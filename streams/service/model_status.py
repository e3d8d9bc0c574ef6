"""What a service says in the catalogue about the models it uses."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelStatus:
    """One model, and whether its weights were found."""

    name: str
    version: str
    ready: bool
    detail: str = ""
    """What is wrong: what the service does without it, and how to get it; or, of one that is ready, why no other is."""


@dataclass(frozen=True)
class ModelSummary:
    """The fields of an announcement that speak of models."""

    model: str | None
    """The models in use, joined by `+`; None when there is none."""
    model_version: str | None
    """Their versions, in the same order."""
    problem: str | None
    """What is missing and what that means; None when nothing is."""


def summarise(statuses: Iterable[ModelStatus]) -> ModelSummary:
    """Return one summary of a service's models."""
    all_of_them = tuple(statuses)
    ready = [status for status in all_of_them if status.ready]
    wrong = [status for status in all_of_them if status.detail or not status.ready]
    return ModelSummary(
        "+".join(status.name for status in ready) or None,
        "+".join(status.version for status in ready) or None,
        "; ".join(f"{status.name}: {status.detail or 'its weights are missing'}" for status in wrong) or None,
    )
