"""Bringing an installation in step with its pipelines: topics, schemas and the catalogue; what is in step already stays.

All of it or nothing: every refusal comes before the first change, and what a writer that died left is finished by the next.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from streams.errors import Blame
from streams.flow.rollout import Trial
from streams.language.topology import Topology
from streams.runtime.catalogue import limits, subjects, versions
from streams.runtime.catalogue.pipelines import Pipelines, Version
from streams.runtime.catalogue.plan import Change, Consumer, How, Plan, Planned, Wanted, What, draw
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import RuntimeFault, Unavailable
from streams.settings import Settings
from streams.wire import topic_specs

__all__ = [
    "Breaking",
    "Change",
    "Consumer",
    "Declined",
    "How",
    "Plan",
    "Planned",
    "Wanted",
    "What",
    "apply",
    "connected",
]


class Breaking(RuntimeFault):
    """A pipeline's new input or output does not fit what others already send or read; `problems` holds every reason."""

    blame = Blame.AUTHOR

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class Declined(RuntimeFault):
    """Who was shown the plan does not want it."""

    blame = Blame.CALLER


@asynccontextmanager
async def connected(settings: Settings, source: str = "millrace") -> AsyncIterator[Connections]:
    """The parts of these settings, connected. Raises Unavailable for a Kafka that does not answer, then or later."""
    try:
        async with Connections.of(settings, source) as parts:
            yield parts
    except (KafkaError, KafkaException) as error:
        raise Unavailable(f"Kafka at {settings.kafka} does not answer: {error}") from error


async def apply(
    parts: Connections,
    wanted: Iterable[Wanted],
    services: Iterable[tuple[str, int]] = (),
    *,
    dry: bool = False,
    prune: bool = False,
    breaking: bool = False,
    trial: Trial | None = None,
    agreed: Callable[[Plan], bool] = lambda _: True,
) -> list[Change]:
    """Makes topics, registers schemas, publishes pipelines; what was changed, or with `dry` what would be.

    `services` are (name, major) of services whose topics are needed although no pipeline may use them. `prune` removes
    pipelines that files own and that are not wanted any more. With `trial`, pipelines that change are tried beside what is
    active. `agreed` is shown the plan before anything is done. Raises OverLimit, Breaking, unless `breaking`, and Declined, before
    anything is published; Conflict when somebody else publishes meanwhile; Unavailable.
    """
    wanted = list(wanted)
    for one in wanted:
        limits.check(one.topology, parts.settings)
    catalogue = Pipelines(parts)
    try:
        plan = await draw(parts, catalogue, wanted, services, prune=prune, trial=trial)
        if not breaking:
            await _check(parts, [one.topology for one in plan.acts if one.topology and one.how is not How.NEW])
        if not agreed(plan):
            raise Declined("nothing was changed")
        if not dry:
            await _carry_out(parts, catalogue, plan, trial)
        return plan.changes
    finally:
        await catalogue.stop()


async def _carry_out(parts: Connections, catalogue: Pipelines, plan: Plan, trial: Trial | None) -> None:
    await asyncio.gather(
        parts.admin.ensure(plan.specs, parts.settings.replication),
        parts.admin.configure(plan.stamped, topic_specs.STAMPED_BY_BROKER),
        parts.store.ensure_bucket(),
    )
    changed = [one.topology for one in plan.acts if one.topology]
    await subjects.register(parts.registry, {**plan.schemas, **subjects.subjects(parts.names, changed)})
    if plan.first:
        await catalogue.start()
    if plan.acts:
        await catalogue.change_all([await _said(catalogue, one, trial) for one in plan.acts])


async def _said(catalogue: Pipelines, one: Planned, trial: Trial | None) -> Version:
    """What will be said of a pipeline that changes."""
    assert one.version is not None
    standing = catalogue.version(one.name)
    if one.how not in (How.CANARY, How.SHADOW) or trial is None or standing is None:
        return one.version
    await catalogue.stage(one.version)
    return versions.tried(standing, one.version.digest, trial)


async def _check(parts: Connections, changed: Iterable[Topology]) -> None:
    found = [why for one in changed for why in await subjects.breaks(parts.registry, parts.names, one)]
    if found:
        raise Breaking(found)
