"""Pipelines that are defined while the broker stands still: flow reads their requests afterwards, each time."""

import asyncio
from pathlib import Path

import pytest

from infra.local.running import RunningStack
from tests.chaos.installation import run
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.stacks import frozen

pytestmark = pytest.mark.slow
STILL = 8.0
"""Seconds for which the broker stands still: longer than the sessions of members, so that all of them join anew."""
ROUNDS = 3


def doubled(name: str) -> str:
    """A pipeline of this name that needs no service."""
    return (
        f'pipeline: {name}\ninput: {{n: int}}\nnodes: {{twice: {{value: "${{n * 2}}"}}}}\noutput: {{n: "${{twice}}"}}\n'
    )


def test_a_subscription_that_changes_while_members_rejoin_takes_effect(breakable: RunningStack, tmp_path: Path) -> None:
    """The new topic is subscribed to amid a change of membership, when it is easily forgotten: its runs finish all the same."""

    async def main() -> None:
        async with RuntimeHarness(isolated(breakable.settings), tmp_path) as harness:
            await harness.start("flow", "retry")
            for number in range(ROUNDS):
                name = f"doubled-{number}"
                with frozen(breakable, "kafka"):
                    defining = asyncio.create_task(harness.publish(doubled(name), {}))
                    await asyncio.sleep(STILL)  # what is done to the broker, and nothing that is waited for
                await defining
                assert await harness.output(await harness.submit(name, {"n": 21 + number})) == {"n": 42 + 2 * number}

    run(main())
