"""Kill -9 of workers under load: every run ends once, with its own output, and the history is whole."""

import asyncio
import functools
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from tests.chaos.installation import CHEAP_SERVICES, FLOW, Installation, installation, run
from tests.chaos.joins_and_loops import JOINS_AND_LOOPS, expected_output
from tests.integration.support.waiting import until

log = logging.getLogger(__name__)

IN_FLIGHT, SPARE = 500, 60
PROGRESS = 150
"""Events from the moment that all are in flight until the kills: too few for more than `SPARE` runs to end meanwhile."""
KILLS = ((0,), (0, 1), (0, 1))
"""Which of the two workers of flow, and which of the two of services, are killed at the same moment: ten in all."""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_workers_that_are_killed_lose_nothing(settings: Settings, tmp_path: Path) -> None:
    """Kill -9 of ten workers, of services and of flow, from 500 runs in flight on: every result is seen once, none is lost."""

    async def main() -> None:
        async with installation(settings, tmp_path) as made:
            flows = list(await asyncio.gather(made.flow(), made.flow()))
            services = list(await asyncio.gather(made.service(), made.service()))
            await made.define(JOINS_AND_LOOPS)
            begin = time.monotonic()
            wanted: dict[str, dict[str, Any]] = {}
            for places in KILLS:
                # Nothing ends while services are held, so that however quick the machine is, all are in flight at once.
                for worker in services:
                    worker.hold()
                numbers = range(len(wanted), len(wanted) + IN_FLIGHT + SPARE - len(made.open))
                runs = await made.submit_all("braid", ({"n": n} for n in numbers))
                wanted.update(zip(runs, map(expected_output, numbers), strict=True))
                seen = made.seen
                for worker in services:
                    worker.let_go()
                # What is killed is in the middle of work: something was told since, and much is to come.
                await until(functools.partial(_told, made, seen + PROGRESS), 90, "progress")
                assert len(made.open) >= IN_FLIGHT
                for workers, names in ((flows, FLOW), (services, (CHEAP_SERVICES,))):
                    for place in places:
                        workers[place].kill()
                    for place in places:
                        workers[place] = made.harness.launch(*names)
                await until(lambda: all(one.ready for one in (*flows, *services)), 60, "workers in their place")
            killed = time.monotonic()
            await made.all_ended(120)
            drained = time.monotonic()
            await made.verify(wanted)
            log.info(
                "%d runs: %.1f s until the last kill, %.1f s more until the last end, %.1f s to compare",
                len(wanted),
                killed - begin,
                drained - killed,
                time.monotonic() - drained,
            )

    run(main())


def _told(made: Installation, count: int) -> bool:
    return made.seen >= count
