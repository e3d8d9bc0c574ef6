"""The champion of a slot: the model that is to serve, as the registry of models says it and `models.updates` carries it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

ALIAS = "champion"
"""The alias that the version of a slot has which is to serve: the only truth about that."""

MODEL, VERSION, BUNDLE = "millrace.model", "millrace.version", "millrace.bundle"
"""Tags of a version in the registry: what the model is called, its bundle's version, and where that lies in the bucket."""


@dataclass(frozen=True, slots=True)
class Champion:
    """One version of a slot."""

    slot: str
    """The service whose model it is."""
    model: str
    version: str
    """Its bundle's: twelve hexadecimal digits."""
    number: int
    """The registry's own, counted from 1."""
    bundle: str
    """What the keys of its files begin with."""

    def to_record(self, at: float) -> dict[str, Any]:
        """Return the millrace.ModelUpdate, seen at this moment (epoch seconds)."""
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "at": at}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Champion":
        """Return the champion of a millrace.ModelUpdate."""
        return cls(**{field.name: record[field.name] for field in fields(cls)})
