"""The versions of a pipeline: which are known, what becomes of each, trying one out, rolling back, forgetting."""

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import psycopg

from streams.errors import Blame
from streams.flow.rollout import Trial
from streams.flow.state_rows import DONE, OPEN
from streams.language.topology import Topology
from streams.runtime.catalogue.pipeline_topics import ensure_topics
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.version import Conflict, Version
from streams.runtime.catalogue.writer import CatalogueWriter
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.state_log import StateLog
from streams.runtime.errors import RuntimeFault
from streams.settings import Settings
from streams.wire import topics
from streams.wire.records import Place

SETTLED = 60.0
"""Seconds after which no worker starts runs on a version any more that was replaced."""


class Role(StrEnum):
    """What a version is used for at present."""

    ACTIVE = "active"
    CANARY = "canary"
    SHADOW = "shadow"
    FORMER = "former"  # its runs go on, and the pipeline can be rolled back to it


class NoVersion(RuntimeFault):
    """The version does not exist, or there is none to roll back to; the message names those that exist."""

    blame = Blame.CALLER


class StillUsed(RuntimeFault):
    """A version cannot be forgotten; the message says what still needs it."""

    blame = Blame.CALLER


@dataclass(frozen=True)
class Known:
    """A version, and what it is used for at present."""

    version: Version
    role: Role
    share: float = 0.0
    """The part of new runs that it takes, 0 to 1."""


def listed(pipelines: Pipelines, name: str) -> list[Known]:
    """List the known versions of a name, the one that changed last first."""
    active = pipelines.version(name)
    return [_known(version, active) for version in pipelines.known(name)]


def _known(version: Version, active: Version | None) -> Known:
    if active is None:
        return Known(version, Role.FORMER)
    if version.digest == active.digest:
        canary_share = active.share if active.candidate and not active.shadow else 0.0
        return Known(version, Role.ACTIVE, 1.0 - canary_share)
    if version.digest == active.candidate:
        return Known(version, Role.SHADOW) if active.shadow else Known(version, Role.CANARY, active.share)
    return Known(version, Role.FORMER)


def tried(active: Version, digest: str, trial: Trial) -> Version:
    """Build the change of the active version that tries another digest beside it."""
    return dataclasses.replace(active, candidate=digest, share=trial.share, shadow=trial.shadow, at=time.time())


async def try_out(
    connections: Connections, pipelines: Pipelines, wanted: Version, trial: Trial, expected: str | None = None
) -> Version:
    """Try a version beside the active one of its name. Returns the latest version. Raises Conflict, NoVersion."""
    active = _active(pipelines, wanted.name, expected)
    if active.digest == wanted.digest:
        raise NoVersion(f"{wanted.name} is at {wanted.digest[:12]} already: there is nothing to try")
    writer = CatalogueWriter(connections, pipelines)
    await ensure_topics(connections, [Topology.from_json(wanted.topology)])
    await writer.stage(wanted)
    change = tried(active, wanted.digest, trial)
    return active if active.same(change) else await writer.change(change, active, expected)


async def roll_back(
    connections: Connections, pipelines: Pipelines, name: str, digest: str = "", expected: str | None = None
) -> Version:
    """End a trial; without one, make the version before active, or the one whose digest begins with `digest`.

    Running runs keep their version. Returns the latest version. Raises NoVersion, Conflict.
    """
    latest = pipelines.latest(name)
    if expected is not None and expected != (latest.etag if latest and latest.active else ""):
        raise Conflict(name, latest if latest and latest.active else None)
    target = _target(pipelines, name, digest, latest)
    owner = latest.owner if latest else target.owner
    change = dataclasses.replace(
        target, active=True, staged=False, candidate=None, share=0.0, shadow=False, owner=owner, at=time.time()
    )
    if latest is not None and latest.same(change):
        return latest
    return await CatalogueWriter(connections, pipelines).change(change, latest, expected)


def _target(pipelines: Pipelines, name: str, digest: str, latest: Version | None) -> Version:
    known = pipelines.known(name)
    if not known or latest is None:
        raise NoVersion(f"there is no pipeline {name!r}")
    if digest:
        matching = [version for version in known if version.digest.startswith(digest)]
        if len(matching) != 1:
            problem = "several versions begin" if matching else "no version begins"
            digests = ", ".join(version.digest[:12] for version in known)
            raise NoVersion(f"{problem} with {digest!r}; {name} has {digests}")
        return matching[0]
    if latest.candidate or not latest.active:
        return latest
    before = [version for version in known if version.digest != latest.digest and not version.staged]
    if not before:
        raise NoVersion(f"{name} has no version before {latest.digest[:12]}")
    return before[0]


def _active(pipelines: Pipelines, name: str, expected: str | None) -> Version:
    active = pipelines.version(name)
    if expected is not None and expected != (active.etag if active else ""):
        raise Conflict(name, active)
    if active is None:
        raise NoVersion(f"there is no pipeline {name!r} yet that another version could be tried beside")
    return active


async def forget(
    connections: Connections, pipelines: Pipelines, name: str, open_runs: Mapping[str, int], digest: str = ""
) -> list[Version]:
    """Remove former versions that no run needs, or only the one whose digest begins with `digest`, for good.

    `open_runs`: open runs by digest, from `flow.state`. Returns the removed versions. Raises NoVersion, StillUsed.
    """
    known = listed(pipelines, name)
    if not known:
        raise NoVersion(f"there is no pipeline {name!r}")
    chosen = [entry for entry in known if entry.version.digest.startswith(digest)]
    if not chosen:
        raise NoVersion(f"no version of {name} begins with {digest!r}")
    kept = {entry.version.digest: why for entry in chosen if (why := _need(pipelines, entry, open_runs))}
    if digest and kept:
        raise StillUsed("; ".join(f"{name}@{digest[:12]} {why}" for digest, why in kept.items()))
    removed = [entry.version for entry in chosen if entry.version.digest not in kept]
    await CatalogueWriter(connections, pipelines).forget(removed)
    return removed


def _need(pipelines: Pipelines, known: Known, open_runs: Mapping[str, int]) -> str:
    """Say why a version is kept; empty when nothing needs it."""
    version, latest = known.version, pipelines.latest(known.version.name)
    if known.role is not Role.FORMER:
        return f"is {known.role}"
    if latest is not None and latest.digest == version.digest:
        return "is the last one of a pipeline that was removed"
    if runs := open_runs.get(version.digest, 0):
        return f"has {runs} open run{'s' if runs > 1 else ''}"
    if latest is not None and time.time() - latest.at < SETTLED:
        return f"was replaced less than {SETTLED:g} s ago: some worker may not know it yet"
    return ""


async def running(settings: Settings) -> dict[str, int] | None:
    """Count the running runs by digest, as the history knows them; None while the history is unavailable."""
    try:
        async with await psycopg.AsyncConnection.connect(settings.postgres, connect_timeout=2) as connection:
            rows = await connection.execute("select digest, count(*) from runs where ended_at is null group by 1")
            return dict(await rows.fetchall())
    except psycopg.Error:
        return None


async def open_runs(connections: Connections) -> dict[str, int]:
    """Count the open runs by digest from the log of flow's state. Raises StillUsed while flow has messages to take."""
    topic = connections.topic(topics.TOKENS)
    places = [Place(topic, number) for number in range(await connections.producer.partitions(topic))]
    behind = sum((await connections.offsets.lag(connections.group("flow"), places)).values())
    if behind:
        raise StillUsed(f"flow has {behind} messages to take first, and some may begin runs; try again")
    log, counts = StateLog(connections), Counter[str]()
    for place in places:
        rows, _ = await log.read(place.partition)
        counts.update(values[OPEN]["digest"] for values in rows.values() if OPEN in values and DONE not in values)
    return dict(counts)
