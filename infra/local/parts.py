"""The table of parts: four from elsewhere, and Millrace's own processes."""

from collections.abc import Sequence

from infra.local.errors import LocalError
from infra.local.kafka import KAFKA
from infra.local.part import Part
from infra.local.postgres import POSTGRES
from infra.local.registry import REGISTRY
from infra.local.s3 import S3

TABLE: tuple[Part, ...] = (KAFKA, S3, POSTGRES, REGISTRY)
BACKEND = ("kafka", "s3", "postgres", "registry")
"""What tests and Millrace's own processes work with."""


def select(table: Sequence[Part], names: Sequence[str] | None) -> list[Part]:
    """The named parts and all they need, each after its needs; all for None. Raises LocalError for an unknown name."""
    known = {part.name: part for part in table}
    chosen: dict[str, Part] = {}

    def take(name: str) -> None:
        if name not in known:
            raise LocalError(f"unknown part {name!r}: the parts are {', '.join(known)}")
        for needed in known[name].needs:
            take(needed)
        chosen.setdefault(name, known[name])

    for name in known if names is None else names:
        take(name)
    return list(chosen.values())
