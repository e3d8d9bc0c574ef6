"""Kill -9 of the broker with runs in flight: nobody but the broker dies, and every run ends once."""

import asyncio
import functools
from pathlib import Path
from typing import Any

import pytest

from infra.local.running import RunningStack
from tests.chaos.installation import Installation, installation, run
from tests.chaos.joins_and_loops import JOINS_AND_LOOPS, expected_output
from tests.integration.support.waiting import until

RUNS = 60


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_broker_that_is_killed_loses_nothing(breakable: RunningStack, tmp_path: Path) -> None:
    """Twice kill -9 of the broker in the middle of work: gateway, clients and workers live through it; each result is seen once."""

    async def main() -> None:
        async with installation(breakable.settings, tmp_path) as made:
            flow, service = await asyncio.gather(made.flow(), made.service())
            await made.define(JOINS_AND_LOOPS)
            wanted: dict[str, dict[str, Any]] = {}
            for number in range(2):
                numbers = range(number * RUNS, (number + 1) * RUNS)
                seen = made.seen
                runs = await made.submit_all("braid", ({"n": n} for n in numbers))
                wanted.update(zip(runs, map(expected_output, numbers), strict=True))
                await until(functools.partial(_working, made, seen), 60, "work")
                assert len(made.open) > RUNS // 2
                await asyncio.to_thread(breakable.restart, "kafka", kill=True)
            await made.all_ended(120)
            await made.verify(wanted)
            assert (flow.process.poll(), service.process.poll()) == (None, None)

    run(main())


def _working(made: Installation, seen: int) -> bool:
    """Whether about a quarter of what there is to say of the new runs has been said."""
    return made.seen > seen + RUNS * 6
