"""The table of parts: four from elsewhere, and Millrace's own processes."""

from collections.abc import Sequence

from infra.local import own
from infra.local.errors import UnknownPart
from infra.local.kafka import KAFKA
from infra.local.own import FLOW, RECORDER, services
from infra.local.part import Part
from infra.local.postgres import POSTGRES
from infra.local.registry import REGISTRY
from infra.local.s3 import S3

BACKEND = ("kafka", "s3", "postgres", "registry")
"""What comes from elsewhere: what tests and Millrace's own processes work with."""
_OTHERS: tuple[Part, ...] = (KAFKA, S3, POSTGRES, REGISTRY)


def table(workers: int = 1) -> list[Part]:
    """Every part of a whole system with so many worker processes, each after its needs.

    To add a process of Millrace's own, add its line here.
    """
    serving = services()
    hosts = [own.worker(f"worker-{number}" if workers > 1 else "worker", serving) for number in range(1, workers + 1)]
    ours = [own.worker("flow", FLOW), own.worker("recorder", RECORDER), *hosts]
    return [*_OTHERS, own.APPLY, *ours, own.GATEWAY]


def select(table: Sequence[Part], names: Sequence[str] | None) -> list[Part]:
    """The named parts and all they need, each after its needs; all for None. Raises UnknownPart."""
    known = {part.name: part for part in table}
    chosen: dict[str, Part] = {}

    def take(name: str) -> None:
        if name not in known:
            raise UnknownPart(f"unknown part {name!r}: the parts are {', '.join(known)}")
        for needed in known[name].needs:
            take(needed)
        chosen.setdefault(name, known[name])

    for name in known if names is None else names:
        take(name)
    return list(chosen.values())
