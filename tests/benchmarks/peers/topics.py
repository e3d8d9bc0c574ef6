"""Names of topics of the peers that work over Kafka, and its password."""

import asyncio
import os
import uuid
from pathlib import Path
from typing import Any

from tests.benchmarks.jobs import JOBS, Job

PREFIX = os.environ.get("PEER_PREFIX", "peer")
"""Another one in each turn, so that nobody reads what is left of an earlier one."""
GROUP = f"{PREFIX}.workers"
REPLIES = f"{PREFIX}.replies"
PARTITIONS = 4


def password() -> str:
    """Of the user whom MILLRACE_KAFKA_USER names."""
    return Path(os.environ["MILLRACE_KAFKA_PASSWORD_FILE"]).read_text().strip()


def step(job: Job, number: int) -> str:
    """Where the tasks of one step of a job go."""
    return f"{PREFIX}.{job.name}.{number}"


def every(prefix: str) -> list[str]:
    """All topics under a prefix."""
    steps = [f"{prefix}.{job.name}.{number}" for job in JOBS.values() for number in range(len(job.steps))]
    return [f"{prefix}.replies", *steps]


def fresh(awaited: "dict[str, asyncio.Future[dict[str, Any]]]") -> "tuple[str, asyncio.Future[dict[str, Any]]]":
    """A new id, and the future of its result."""
    id = uuid.uuid4().hex
    awaited[id] = asyncio.get_running_loop().create_future()
    return id, awaited[id]
