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
    """What the service does without it, and how to get it."""


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
    """One summary of a service's models."""
    all_of_them = tuple(statuses)
    ready = [status for status in all_of_them if status.ready]
    missing = [f"{one.name}: {one.detail or 'its weights are missing'}" for one in all_of_them if not one.ready]
    return ModelSummary(
        "+".join(status.name for status in ready) or None,
        "+".join(status.version for status in ready) or None,
        "; ".join(missing) or None,
    )
