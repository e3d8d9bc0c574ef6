"""A slot: where a service finds the model that serves. The shipped bundle is in it until another is promoted."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Generic, TypeVar

from streams.models.bundle import BadBundle, read
from streams.service import call_context
from streams.service.model_status import ModelStatus

M = TypeVar("M")

_KEPT = 2
"""Loaded models that a process keeps: the one that serves, and the one before it, which calls in progress may still use."""


@dataclass(frozen=True)
class Slot(Generic[M]):
    """The model of one service: `@service(NAME, slot=SLOT)`. It is registered under the service's name.

    `load` makes of a bundle's folder what the function works with; it is called in the processes where the service runs,
    so what it imports is not imported by workers. Whatever it raises means that the bundle does not serve.
    """

    shipped: Path
    """The bundle that serves when no other was promoted."""
    load: Callable[[Path], M]

    def loaded(self) -> M:
        """Return the model that serves this call, loaded once a process; outside a run the shipped one. Raises what `load` raises."""
        return self._loaded(call_context.bundle() or self.shipped)

    @cached_property
    def _loaded(self) -> Callable[[Path], M]:
        return lru_cache(maxsize=_KEPT)(self.load)

    def status(self, service: str) -> ModelStatus:
        """Return what the catalogue shows of the shipped bundle; loads nothing."""
        try:
            bundle = read(self.shipped)
        except BadBundle as error:
            detail = f"nothing can be answered: {error}. `make train` makes it"
            return ModelStatus(service, "", ready=False, detail=detail)
        return ModelStatus(bundle.name, bundle.version, ready=True)
