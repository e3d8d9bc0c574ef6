"""Bringing an installation in step with its pipelines: topics, schemas and the catalogue; what is in step already stays.

All or nothing: every refusal comes before the first change, and a change whose writer died is finished by the next one.
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
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.plan import Change, Consumer, How, Plan, Planned, Wanted, What, draw
from streams.runtime.catalogue.version import Version
from streams.runtime.catalogue.writer import CatalogueWriter
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
    """The plan was shown and declined."""

    blame = Blame.CALLER


@asynccontextmanager
async def connected(settings: Settings, source: str = "millrace") -> AsyncIterator[Connections]:
    """Connect to the parts that these settings name. Raises Unavailable when Kafka does not answer, then or later."""
    try:
        async with Connections.of(settings, source) as connections:
            yield connections
    except (KafkaError, KafkaException) as error:
        raise Unavailable(f"Kafka at {settings.kafka} does not answer: {error}") from error


async def apply(
    connections: Connections,
    wanted: Iterable[Wanted],
    services: Iterable[tuple[str, int]] = (),
    *,
    dry: bool = False,
    prune: bool = False,
    breaking: bool = False,
    trial: Trial | None = None,
    agreed: Callable[[Plan], bool] = lambda _: True,
) -> list[Change]:
    """Create topics, register schemas, publish pipelines. Returns what was changed, or with `dry` what would be.

    `services` are (name, major) of services that need topics even if no pipeline uses them. `prune` removes pipelines that
    files own and that are not wanted any more. With `trial`, pipelines that change are tried beside the active version.
    `agreed` is called with the plan before anything is done. Raises OverLimit, Breaking (not with `breaking`) and Declined
    before anything is published; Conflict when somebody else publishes meanwhile; Unavailable.
    """
    wanted = list(wanted)
    for pipeline in wanted:
        limits.check(pipeline.topology, connections.settings)
    catalogue = Pipelines(connections)
    try:
        plan = await draw(connections, catalogue, wanted, services, prune=prune, trial=trial)
        if not breaking:
            await _check(connections, plan)
        if not agreed(plan):
            raise Declined("nothing was changed")
        if not dry:
            await _carry_out(connections, catalogue, plan, trial)
        return plan.changes
    finally:
        await catalogue.stop()


async def _carry_out(connections: Connections, catalogue: Pipelines, plan: Plan, trial: Trial | None) -> None:
    await asyncio.gather(
        connections.admin.ensure(plan.specs, connections.settings.replication),
        connections.admin.configure(plan.stamped, topic_specs.STAMPED_BY_BROKER),
        connections.store.ensure_bucket(),
    )
    changed = _topologies(plan.acts)
    await subjects.register(connections.registry, {**plan.schemas, **subjects.subjects(connections.names, changed)})
    if plan.first:
        await catalogue.start()
    if plan.acts:
        writer = CatalogueWriter(connections, catalogue)
        await writer.change_all([await _change(writer, planned, trial) for planned in plan.acts])


async def _change(writer: CatalogueWriter, planned: Planned, trial: Trial | None) -> Version:
    """Choose the version to publish for a pipeline that changes; stage a version that is to be tried."""
    assert planned.version is not None
    active = writer.pipelines.version(planned.name)
    if planned.how not in (How.CANARY, How.SHADOW) or trial is None or active is None:
        return planned.version
    await writer.stage(planned.version)
    return versions.tried(active, planned.version.digest, trial)


async def _check(connections: Connections, plan: Plan) -> None:
    changed = _topologies(planned for planned in plan.acts if planned.how is not How.NEW)
    problems = [
        reason
        for topology in changed
        for reason in await subjects.breaks(connections.registry, connections.names, topology)
    ]
    if problems:
        raise Breaking(problems)


def _topologies(pipelines: Iterable[Planned]) -> list[Topology]:
    return [planned.topology for planned in pipelines if planned.topology]
