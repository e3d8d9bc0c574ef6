"""A frozen broker goes on: the coordinator of the groups has to load what they committed, and does not know it yet."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.data.logged_event import run_of
from infra.local.running import RunningStack
from streams.wire.records import Place
from streams.wire.topics import TOKENS
from tests.chaos.installation import Installation, installation, run
from tests.chaos.joins_and_loops import JOINS_AND_LOOPS, expected_output
from tests.integration.support.waiting import until
from tests.stacks import frozen

RUNS = 30
FROZEN = 12.0
"""Seconds that the broker stands still: longer than any group waits for a member."""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_frozen_broker_makes_no_member_start_over(breakable: RunningStack, tmp_path: Path) -> None:
    """It stops while all is quiet, amid work, and while a worker joins: what had ended is not executed again, and all the rest ends."""

    async def main() -> None:
        async with installation(breakable.settings, tmp_path) as made:
            flow, service = await asyncio.gather(made.flow(), made.service())
            await made.define(JOINS_AND_LOOPS)
            wanted = await ask(made, 0)
            await made.all_ended(120)
            await settled(made)
            before = await spoken(made)
            assert set(wanted) <= before.keys()

            await freeze(breakable)  # while all is quiet
            wanted |= await ask(made, RUNS)
            await made.all_ended(120)

            wanted |= await ask(made, 2 * RUNS)
            assert len(made.open) > RUNS // 3
            await freeze(breakable)  # amid work
            await made.all_ended(120)

            wanted |= await ask(made, 3 * RUNS)
            joining = asyncio.create_task(made.service())
            await freeze(breakable)  # while membership changes
            another = await joining
            await made.all_ended(120)
            await made.verify(wanted)

            after = await spoken(made)
            assert {one: after[one] for one in before} == before
            assert [one.process.poll() for one in (flow, service, another)] == [None, None, None]

    run(main())


async def ask(made: Installation, first: int) -> dict[str, dict[str, Any]]:
    """Asks for runs; what each is to give."""
    numbers = range(first, first + RUNS)
    runs = await made.submit_all("braid", ({"n": number} for number in numbers))
    return dict(zip(runs, map(expected_output, numbers), strict=True))


async def freeze(stack: RunningStack) -> None:
    """Holds the broker still for a while."""
    with frozen(stack, "kafka"):
        await asyncio.sleep(FROZEN)  # the time itself is what is tried


async def settled(made: Installation) -> None:
    """Wait until every group has committed what it has done: only that is not done again."""
    offsets, connections = made.harness.connections.offsets, made.harness.connections
    read = {
        "recorder": (connections.events,),
        "flow": (connections.topic(TOKENS), connections.names.requests("braid")),
        "bump": (connections.names.tasks("bump", 1),),
    }

    async def done() -> bool:
        for group, topics in read.items():
            for topic in topics:
                lag = await offsets.lag(connections.group(group), await offsets.partitions(topic))
                if sum(lag.values()):
                    return False
        return True

    await until(done, 60, "the groups")


async def spoken(made: Installation) -> Counter[str]:
    """How many events each run has in the log, the repeated ones included."""
    probe = made.harness.connections.offsets
    counted = Counter[str]()
    for place in sorted(await probe.partitions(made.harness.connections.events)):
        end = (await probe.ends([place]))[place]
        counted.update(str(run_of(record)) for record in await probe.read(Place(*place), 0, end))
    return counted
