"""What people run: the whole stack as `make run` starts it, with all its pipelines and agents, asked over HTTP.

    python -m tests.benchmarks.bench_stack [SCALE] [--json FILE]

For each of the jobs J1 to J3 (see `jobs.py`): seconds to the result alone, runs a second with 64 in flight, processor time a run by
process, and requests that the broker answered a run, by its own count (JMX). Before them: what the stack takes while nobody asks it for anything.
SCALE multiplies the numbers of runs (1).
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from infra.local.home.secrets import api_key
from streams.settings import Settings
from tests.benchmarks.clients import Millrace, measure, millrace
from tests.benchmarks.figures import show
from tests.benchmarks.jobs import IN_FLIGHT, JOBS, THREE_STEPS
from tests.benchmarks.parts import Backend, backend, own
from tests.benchmarks.processes import Groups, between, resident, spent

SETTLE = 60.0
"""Seconds that a stack which has just begun is left alone before it is called idle: its JVMs compile what they ran."""
IDLE = 30.0
"""Seconds that it is watched."""


async def idle(made: Backend, groups: Groups, seconds: float) -> dict[str, Any]:
    """Percent of a core, by process, and broker requests a second, while nothing is asked for."""
    await asyncio.sleep(min(SETTLE, seconds))
    asked, before = made.requests(), spent(groups)
    await asyncio.sleep(seconds)
    after = spent(groups)
    requests = _difference(asked, made.requests())
    shares = {name: value / seconds * 100 for name, value in between(before, after).items()}
    return {
        "percent_of_a_core": {**shares, "all": sum(shares.values())},
        "broker_requests_a_second": {name: count / seconds for name, count in requests.items()},
        "resident_mib": resident(groups),
    }


async def jobs(made: Backend, client: Millrace, scale: float) -> dict[str, Any]:
    """Each job's figures."""
    found: dict[str, Any] = {}
    for job in JOBS.values():
        asked = made.requests()
        measured = await measure(client, job, scale)
        runs = (
            1 + max(4, int(job.warm * scale)) + max(4, int(job.alone * scale)) + max(IN_FLIGHT, int(job.many * scale))
        )
        requests = _difference(asked, made.requests())
        found[job.name] = {
            **asdict(measured),
            "broker_requests": {name: count / runs for name, count in requests.items()},
        }
        show(
            "stack",
            job=job.name,
            what=job.title,
            alone=measured.alone,
            runs_per_second=measured.rate,
            cpu_ms_alone=_shown(measured.alone_cpu),
            cpu_ms=_shown(measured.cpu),
            broker_requests=_shown(found[job.name]["broker_requests"]),
        )
    return found


async def main(scale: float) -> dict[str, Any]:
    """Measures a stack of its own."""
    async with backend() as made:
        with own(made) as ours:
            return await against(made, ours, scale)


async def against(made: Backend, ours: Groups, scale: float) -> dict[str, Any]:
    """Measures Millrace's own processes: idle, then each job."""
    groups = {**ours, **made.groups}
    settings: Settings = made.settings
    async with millrace(f"http://127.0.0.1:{settings.http_port}", api_key(settings.home), groups) as client:
        rest = await idle(made, groups, IDLE * min(1.0, scale))
        show("stack", job="idle", **{name: _shown(value) for name, value in rest.items()})
        await client.publish("bench-three-steps", THREE_STEPS)
        return {"idle": rest, **await jobs(made, client, scale)}


def _difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Requests by kind, and of all kinds; what makes less than one in a hundred of them is left out."""
    counted = {name: count - before.get(name, 0) for name, count in after.items()}
    total = sum(counted.values())
    return {**{name: count for name, count in sorted(counted.items()) if count * 100 > total}, "all": total}


def _shown(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.3g}") for name, value in values.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("scale", nargs="?", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = uvloop.run(main(options.scale))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2, default=str))
    sys.exit(0)
