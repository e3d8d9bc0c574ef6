"""Bringing a real installation in step: topics, schemas and the catalogue, again and again, and by two at once."""

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from schemas.contracts import load_contracts
from schemas.encoding.codec import value_subject
from schemas.registry.client import SchemaRegistry
from streams.cli.pipelines.plan import plan_text
from streams.compile import compile_pipeline
from streams.flow.rollout import Trial
from streams.runtime.catalogue.apply import Breaking, Change, Declined, How, Plan, Wanted, What, apply, connected
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.version import Owner, new_version
from streams.runtime.catalogue.writer import CatalogueWriter
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import Unavailable
from streams.runtime.kafka.admin import WrongTopic
from streams.settings import Settings
from streams.wire import topic_specs, topics
from tests.integration.support.external_client import add_partitions
from tests.integration.support.waiting import until

CONTRACTS = load_contracts()

FIRST = """
pipeline: applied
input: {photo: image}
nodes: {grey: {service: image-greyscale, with: {image: "${photo}"}}}
output: {image: "${grey.image}"}
"""
WIDER = FIRST.replace("{photo: image}", "{photo: image, width: {type: int, default: 10}}").replace(
    'output: {image: "${grey.image}"}', 'output: {image: "${grey.image}", width: "${width}"}'
)
NARROWER = FIRST.replace("{photo: image}", "{photo: image, width: int}").replace("output: {image:", "output: {picture:")


def wanted(text: str) -> Wanted:
    """A pipeline as it should be."""
    return Wanted(compile_pipeline(text, CONTRACTS), text)


def of(changes: list[Change], what: What) -> dict[str, How]:
    """What happened to things of one kind, by name."""
    return {change.name: change.how for change in changes if change.what is what}


@asynccontextmanager
async def installation(settings: Settings) -> AsyncIterator[Connections]:
    """An installation of its own on the session's stack; its topics are removed in the end."""
    prefix = f"apply-{uuid.uuid4().hex[:8]}-"
    async with connected(dataclasses.replace(settings, topic_prefix=prefix, partitions=2)) as connections:
        try:
            yield connections
        finally:
            await connections.admin.delete(await connections.admin.names(prefix))


async def standing(connections: Connections) -> Pipelines:
    """The catalogue as it stands now."""
    catalogue = Pipelines(connections)
    await catalogue.start()
    await catalogue.stop()
    return catalogue


def test_everything_is_made_once(settings: Settings) -> None:
    """The first time, topics, schemas and the pipeline are new; the second time nothing changes."""

    async def play() -> None:
        async with installation(settings) as connections:
            planned = await apply(connections, [wanted(FIRST)], [("image-blur", 1)], dry=True)
            assert await connections.admin.names(connections.names.prefix) == []
            done = await apply(connections, [wanted(FIRST)], [("image-blur", 1)])
            assert {(change.what, change.name, change.how) for change in planned} == {
                (change.what, change.name, change.how) for change in done
            }
            assert of(done, What.PIPELINE) == {"applied": How.NEW}
            assert await apply(connections, [wanted(FIRST)], [("image-blur", 1)]) == []
            assert await apply(connections, [wanted(FIRST)], [("image-blur", 1)], dry=True) == []

    asyncio.run(play())


def test_topics_are_as_the_table_says(settings: Settings) -> None:
    """Every topic of the table is there, with its partitions and its configuration, and no other."""

    async def play() -> None:
        async with installation(settings) as connections:
            await apply(connections, [wanted(FIRST)], [("image-blur", 1)])
            specs = topic_specs.every(
                connections.names, 2, services=[("image-blur", 1), ("image-greyscale", 1)], pipelines=["applied"]
            )
            assert await connections.admin.names(connections.names.prefix) == sorted(spec.name for spec in specs)
            for spec in specs:
                assert await connections.producer.partitions(spec.name) == spec.partitions
                has = await connections.admin.configuration(spec.name)
                assert {key: has[key] for key in spec.config} == dict(spec.config)

    asyncio.run(play())


def test_schemas_are_in_the_registry(settings: Settings) -> None:
    """What the public topics, the tasks and the shared topics carry can be read from the registry beforehand."""

    async def play() -> None:
        async with installation(settings) as connections:
            await apply(connections, [wanted(FIRST)])
            async with SchemaRegistry(settings.registry) as registry:
                for topic in (
                    connections.names.requests("applied"),
                    connections.names.results("applied"),
                    connections.names.tasks("image-greyscale", 1),
                    connections.events,
                ):
                    assert await registry.latest(value_subject(topic)) is not None, topic

    asyncio.run(play())


def test_a_changed_pipeline_is_the_active_one(settings: Settings) -> None:
    """A change that others can live with is published, and its old version stays known for runs under way."""

    async def play() -> None:
        async with installation(settings) as connections:
            await apply(connections, [wanted(FIRST)])
            changes = await apply(connections, [wanted(WIDER)])
            assert of(changes, What.PIPELINE) == {"applied": How.CHANGED}
            catalogue = await standing(connections)
            version = catalogue.version("applied")
            assert version is not None
            assert version.digest == wanted(WIDER).topology.digest
            assert version.source == WIDER
            assert catalogue.topology(wanted(FIRST).topology.digest) == wanted(FIRST).topology

    asyncio.run(play())


def test_a_breaking_change_is_refused_whole(settings: Settings) -> None:
    """A change that present callers or readers do not fit is refused with every reason, and nothing is published."""

    async def play() -> None:
        async with installation(settings) as connections:
            await apply(connections, [wanted(FIRST)])
            other = FIRST.replace("pipeline: applied", "pipeline: another")
            with pytest.raises(Breaking) as refused:
                await apply(connections, [wanted(other), wanted(NARROWER)])
            assert len(refused.value.problems) == 2
            assert "width" in refused.value.problems[0]
            assert list((await standing(connections)).active()) == ["applied"]
            changes = await apply(connections, [wanted(NARROWER)], breaking=True)
            assert of(changes, What.PIPELINE) == {"applied": How.CHANGED}

    asyncio.run(play())


def test_files_take_over_and_prune_only_their_own(settings: Settings) -> None:
    """A pipeline put over HTTP is taken over by a file of its name; pruning leaves those of others alone."""

    async def play() -> None:
        async with installation(settings) as connections:
            await apply(connections, [wanted(FIRST)])
            theirs = FIRST.replace("pipeline: applied", "pipeline: theirs")
            also = FIRST.replace("pipeline: applied", "pipeline: also-theirs")
            catalogue = Pipelines(connections)
            await catalogue.start()
            for text in (theirs, also):
                await CatalogueWriter(connections, catalogue).publish(wanted(text).topology, text, Owner.HTTP)
            await catalogue.stop()
            changes = await apply(connections, [wanted(theirs)], prune=True)
            assert of(changes, What.PIPELINE) == {"theirs": How.TAKEN, "applied": How.REMOVED}
            owners = {name: version.owner for name, version in (await standing(connections)).active().items()}
            assert owners == {"also-theirs": Owner.HTTP, "theirs": Owner.GIT}

    asyncio.run(play())


def test_two_at_once_agree(settings: Settings) -> None:
    """Two that apply the same at the same time both succeed, and each pipeline has one version."""

    async def play() -> None:
        async with installation(settings) as connections, connected(connections.settings) as others:
            await asyncio.gather(apply(connections, [wanted(FIRST)]), apply(others, [wanted(FIRST)]))
            version = (await standing(connections)).version("applied")
            assert version is not None
            assert version.number == 1

    asyncio.run(play())


def test_a_broker_that_is_unavailable(settings: Settings) -> None:
    """Without a broker, connecting says so and where it was looked for."""

    async def play() -> None:
        async with connected(dataclasses.replace(settings, kafka="127.0.0.1:1")):
            raise AssertionError("nothing listens there")

    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        asyncio.run(play())


def test_a_writer_that_dies_in_the_middle_is_finished_by_the_next(settings: Settings) -> None:
    """Numbers that were taken by a writer that died are no obstacle: the next apply leaves every pipeline as it should be."""

    async def play() -> None:
        async with installation(settings) as connections:
            texts = [FIRST.replace("pipeline: applied", f"pipeline: part-{number}") for number in range(3)]
            await apply(connections, [wanted(text) for text in texts])
            changed = [
                wanted(text.replace("{photo: image}", "{photo: image, n: {type: int, default: 1}}")) for text in texts
            ]
            catalogue = Pipelines(connections)
            await catalogue.start()
            for pipeline in changed[:2]:  # what is done before a change is shown to anybody, as a crash leaves it
                version = new_version(pipeline.topology, pipeline.source, Owner.GIT)
                await CatalogueWriter(connections, catalogue)._number(
                    catalogue.version(version.name), version, again=True
                )
            await catalogue.stop()
            active = (await standing(connections)).active()
            assert {version.number for version in active.values()} == {1}
            assert len(of(await apply(connections, changed), What.PIPELINE)) == 3
            after = (await standing(connections)).active()
            assert {name: version.digest for name, version in after.items()} == {
                pipeline.topology.name: pipeline.topology.digest for pipeline in changed
            }
            assert {version.number for version in after.values()} == {2}
            assert await apply(connections, changed) == []

    asyncio.run(play())


def test_the_plan_names_what_a_change_affects(settings: Settings) -> None:
    """Before anything is done the plan names what changes, topics, consumers and runs; who declines changes nothing."""
    seen: list[Plan] = []

    def no(plan: Plan) -> bool:
        seen.append(plan)
        return False

    async def play() -> None:
        async with installation(settings) as connections:
            kept = FIRST.replace("pipeline: applied", "pipeline: kept")
            gone = FIRST.replace("pipeline: applied", "pipeline: gone")
            await apply(connections, [wanted(FIRST), wanted(kept), wanted(gone)])
            new = FIRST.replace("pipeline: applied", "pipeline: fresh").replace("image-greyscale", "image-blur")
            new = new.replace('with: {image: "${photo}"}', 'with: {image: "${photo}", areas: []}')
            with pytest.raises(Declined):
                await apply(connections, [wanted(WIDER), wanted(kept), wanted(new)], prune=True, agreed=no)
            (plan,) = seen
            assert {pipeline.name: pipeline.how for pipeline in plan.pipelines} == {
                "applied": How.CHANGED,
                "fresh": How.NEW,
                "gone": How.REMOVED,
                "kept": How.UNCHANGED,
            }
            text = plan_text(plan)
            assert "+ fresh: new" in text
            assert "consumers: flow, image-blur (no live worker)" in text
            assert f"+ {connections.names.tasks('image-blur', 1)} (2 partitions)" in text
            assert f". {connections.names.requests('gone')} no longer used" in text
            assert "= 1 unchanged" in text
            assert set((await standing(connections)).active()) == {"applied", "gone", "kept"}
            assert connections.names.requests("fresh") not in await connections.admin.names(connections.names.prefix)

    asyncio.run(play())


def test_a_change_is_tried_first(settings: Settings) -> None:
    """With a trial, what changes stands beside what is active; saying it again changes nothing, and without it it is made active."""

    async def play() -> None:
        async with installation(settings) as connections:
            await apply(connections, [wanted(FIRST)])
            changes = await apply(connections, [wanted(WIDER)], trial=Trial(0.1))
            assert of(changes, What.PIPELINE) == {"applied": How.CANARY}
            version = (await standing(connections)).version("applied")
            assert version is not None
            assert (version.digest, version.candidate) == (wanted(FIRST).topology.digest, wanted(WIDER).topology.digest)
            assert await apply(connections, [wanted(WIDER)], trial=Trial(0.1)) == []
            assert of(await apply(connections, [wanted(WIDER)], trial=Trial(shadow=True)), What.PIPELINE) == {
                "applied": How.SHADOW
            }
            assert of(await apply(connections, [wanted(WIDER)]), What.PIPELINE) == {"applied": How.CHANGED}
            version = (await standing(connections)).version("applied")
            assert version is not None
            assert (version.digest, version.candidate) == (wanted(WIDER).topology.digest, None)

    asyncio.run(play())


def test_schemas_that_were_deleted_are_registered_again(settings: Settings) -> None:
    """The plan asks the registry, not what was applied before: a subject that is gone is made again."""

    async def play() -> None:
        async with installation(settings) as connections:
            await apply(connections, [wanted(FIRST)])
            await apply(connections, [wanted(WIDER)])
            gone = value_subject(connections.names.results("applied"))
            asked = value_subject(connections.names.requests("applied"))
            async with httpx.AsyncClient() as http:
                for subject in (gone, asked):
                    (await http.delete(f"{settings.registry}/subjects/{subject}")).raise_for_status()
            assert of(await apply(connections, [wanted(WIDER)]), What.SCHEMA) == {gone: How.NEW, asked: How.NEW}
            async with SchemaRegistry(settings.registry) as registry:
                assert await registry.has(asked, wanted(WIDER).topology.input)
                assert await registry.latest(gone) is not None
            assert await apply(connections, [wanted(WIDER)]) == []

    asyncio.run(play())


def test_partitions_that_were_added_stay(settings: Settings) -> None:
    """More partitions where keys need not meet are somebody's wish; where they must, the topic is refused by name."""

    async def play() -> None:
        async with installation(settings) as connections:
            await apply(connections, [wanted(FIRST)])
            add_partitions(settings, connections.names.requests("applied"), 5)
            add_partitions(settings, connections.names.tasks("image-greyscale", 1), 3)
            assert of(await apply(connections, [wanted(WIDER)]), What.PIPELINE) == {"applied": How.CHANGED}
            add_partitions(settings, connections.topic(topics.TOKENS), 3)
            with pytest.raises(WrongTopic, match=r"flow\.tokens has 3 partitions, and 2 are needed"):
                await apply(connections, [wanted(WIDER)])

    asyncio.run(play())


def test_requests_are_stamped_by_the_broker(settings: Settings) -> None:
    """This includes topics from before and those of pipelines that are not applied; their other settings stay."""

    async def play() -> None:
        async with installation(settings) as connections:
            other = FIRST.replace("pipeline: applied", "pipeline: another")
            await apply(connections, [wanted(FIRST), wanted(other)])
            topics_of_requests = [connections.names.requests(name) for name in ("another", "applied")]
            await connections.admin.configure(
                topics_of_requests, {"message.timestamp.type": "CreateTime", "retention.ms": "86400000"}
            )

            async def shown() -> bool:
                has = [await connections.admin.configuration(topic) for topic in topics_of_requests]
                return all(each["message.timestamp.type"] == "CreateTime" for each in has)

            await until(shown, 20, "the broker")  # it tells of a changed setting a moment after it took it
            changes = await apply(connections, [wanted(FIRST)], dry=True)
            assert of(changes, What.TOPIC) == dict.fromkeys(topics_of_requests, How.CHANGED)
            assert {change.detail for change in changes} == {"message.timestamp.type CreateTime → LogAppendTime"}
            assert await apply(connections, [wanted(FIRST)]) == changes

            async def in_step() -> bool:
                return await apply(connections, [wanted(FIRST)]) == []

            await until(in_step, 20, "the broker")  # a broker tells of a changed setting a moment after it took it
            for topic in topics_of_requests:
                has = await connections.admin.configuration(topic)
                assert (has["message.timestamp.type"], has["retention.ms"]) == ("LogAppendTime", "86400000")

    asyncio.run(play())
