"""The table of parts: four third-party servers, and Millrace's own processes."""

from collections.abc import Sequence

from infra.local.errors import UnknownPart
from infra.local.parts import millrace_processes
from infra.local.parts.kafka import KAFKA
from infra.local.parts.millrace_processes import FLOW, RECORDER, services
from infra.local.parts.part import Part
from infra.local.parts.postgres import POSTGRES
from infra.local.parts.registry import REGISTRY
from infra.local.parts.s3 import S3

BACKEND = ("kafka", "s3", "postgres", "registry")
"""The third-party servers, which tests and Millrace's own processes use."""
_OTHERS: tuple[Part, ...] = (KAFKA, S3, POSTGRES, REGISTRY)


def table(workers: int = 1) -> list[Part]:
    """List every part of a whole system with this many worker processes, each after the parts that it needs.

    A new process of Millrace needs a line here.
    """
    serving = services()
    hosts = [
        millrace_processes.worker(f"worker-{number}" if workers > 1 else "worker", serving)
        for number in range(1, workers + 1)
    ]
    ours = [millrace_processes.worker("flow", FLOW), millrace_processes.worker("recorder", RECORDER), *hosts]
    return [*_OTHERS, millrace_processes.APPLY, *ours, millrace_processes.GATEWAY]


def select(table: Sequence[Part], names: Sequence[str] | None) -> list[Part]:
    """Select the named parts and all that they need, in that order; None selects every part. Raises UnknownPart."""
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
