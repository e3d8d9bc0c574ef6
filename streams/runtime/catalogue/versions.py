"""The versions of a pipeline: which are known and what becomes of each; trying one out, going back, forgetting."""

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
from streams.runtime.catalogue.pipelines import Conflict, Pipelines, Version
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.state_log import StateLog
from streams.runtime.errors import RuntimeFault
from streams.settings import Settings
from streams.wire import topics
from streams.wire.records import Place

SETTLED = 60.0
"""Seconds after which no worker still begins runs on a version that is not active any more."""


class Role(StrEnum):
    """What a version is at present."""

    ACTIVE = "active"
    CANARY = "canary"
    SHADOW = "shadow"
    FORMER = "former"  # runs that began on it go on; it can be gone back to


class NoVersion(RuntimeFault):
    """There is no such version, or none to go back to; the message says what there is."""

    blame = Blame.CALLER


class StillUsed(RuntimeFault):
    """A version cannot be forgotten; the message says for whom it is kept."""

    blame = Blame.CALLER


@dataclass(frozen=True)
class Known:
    """A version, and what it is at present."""

    version: Version
    role: Role
    share: float = 0.0
    """The part of new runs that it takes, 0 to 1."""


def listed(pipelines: Pipelines, name: str) -> list[Known]:
    """Every known version of a name, the one that changed last first."""
    latest = pipelines.version(name)
    return [_known(one, latest) for one in pipelines.known(name)]


def _known(one: Version, latest: Version | None) -> Known:
    if latest is None:
        return Known(one, Role.FORMER)
    if one.digest == latest.digest:
        taken = latest.share if latest.candidate and not latest.shadow else 0.0
        return Known(one, Role.ACTIVE, 1.0 - taken)
    if one.digest == latest.candidate:
        return Known(one, Role.SHADOW if latest.shadow else Role.CANARY, 0.0 if latest.shadow else latest.share)
    return Known(one, Role.FORMER)


def tried(standing: Version, digest: str, trial: Trial) -> Version:
    """The active version with another one tried beside it."""
    return dataclasses.replace(standing, candidate=digest, share=trial.share, shadow=trial.shadow, at=time.time())


async def try_out(pipelines: Pipelines, wanted: Version, trial: Trial, expected: str | None = None) -> Version:
    """Lets a version be tried beside the active one of its name; what stands then. Raises Conflict, NoVersion."""
    standing = _standing(pipelines, wanted.name, expected)
    if standing.digest == wanted.digest:
        raise NoVersion(f"{wanted.name} is at {wanted.digest[:12]} already: there is nothing to try")
    await pipelines.make_topics([Topology.from_json(wanted.topology)])
    await pipelines.stage(wanted)
    made = tried(standing, wanted.digest, trial)
    if standing.same(made):
        return standing
    return await (pipelines.change(made) if expected is None else pipelines.change_from(standing, made))


async def roll_back(pipelines: Pipelines, name: str, digest: str = "", expected: str | None = None) -> Version:
    """Ends a trial; without one makes the version before (or that of `digest`, its beginning) active. What stands then.

    Runs under way go on as they began. Raises NoVersion, Conflict.
    """
    latest = pipelines.latest(name)
    if expected is not None and expected != (latest.etag if latest and latest.active else ""):
        raise Conflict(name, latest if latest and latest.active else None)
    target = _target(pipelines, name, digest, latest)
    owner = latest.owner if latest else target.owner
    made = dataclasses.replace(
        target, active=True, staged=False, candidate=None, share=0.0, shadow=False, owner=owner, at=time.time()
    )
    if latest is not None and latest.same(made):
        return latest
    return await (pipelines.change(made) if expected is None else pipelines.change_from(latest, made))


def _target(pipelines: Pipelines, name: str, digest: str, latest: Version | None) -> Version:
    known = pipelines.known(name)
    if not known or latest is None:
        raise NoVersion(f"there is no pipeline {name!r}")
    if digest:
        found = [one for one in known if one.digest.startswith(digest)]
        if len(found) != 1:
            many = "several versions begin" if found else "no version begins"
            there = ", ".join(one.digest[:12] for one in known)
            raise NoVersion(f"{many} with {digest!r}; {name} has {there}")
        return found[0]
    if latest.candidate or not latest.active:
        return latest
    before = [one for one in known if one.digest != latest.digest and not one.staged]
    if not before:
        raise NoVersion(f"{name} has no version before {latest.digest[:12]}")
    return before[0]


def _standing(pipelines: Pipelines, name: str, expected: str | None) -> Version:
    standing = pipelines.version(name)
    if expected is not None and expected != (standing.etag if standing else ""):
        raise Conflict(name, standing)
    if standing is None:
        raise NoVersion(f"there is no pipeline {name!r} yet that another version could be tried beside")
    return standing


async def forget(pipelines: Pipelines, name: str, open_runs: Mapping[str, int], digest: str = "") -> list[Version]:
    """Removes former versions that no run needs (or the one of `digest`), for good; which. Raises NoVersion, StillUsed.

    `open_runs`: how many runs are open on each digest, as `flow.state` has it.
    """
    known = listed(pipelines, name)
    if not known:
        raise NoVersion(f"there is no pipeline {name!r}")
    chosen = [one for one in known if one.version.digest.startswith(digest)]
    if not chosen:
        raise NoVersion(f"no version of {name} begins with {digest!r}")
    kept = {one.version.digest: why for one in chosen if (why := _needed(pipelines, one, open_runs))}
    if digest and kept:
        raise StillUsed("; ".join(f"{name}@{which[:12]} {why}" for which, why in kept.items()))
    gone = [one.version for one in chosen if one.version.digest not in kept]
    await pipelines.forget(gone)
    return gone


def _needed(pipelines: Pipelines, one: Known, open_runs: Mapping[str, int]) -> str:
    """For whom a version is kept; nothing when for nobody."""
    latest = pipelines.latest(one.version.name)
    if one.role is not Role.FORMER:
        return f"is {one.role}"
    if latest is not None and latest.digest == one.version.digest:
        return "is the last one of a pipeline that was removed"
    if runs := open_runs.get(one.version.digest, 0):
        return f"has {runs} open run{'s' if runs > 1 else ''}"
    if latest is not None and time.time() - latest.at < SETTLED:
        return f"was replaced less than {SETTLED:g} s ago: some worker may not know it yet"
    return ""


async def running(settings: Settings) -> dict[str, int] | None:
    """How many runs each digest has that are not over, as far as the history knows; None while it is away."""
    try:
        async with await psycopg.AsyncConnection.connect(settings.postgres, connect_timeout=2) as connection:
            rows = await connection.execute("select digest, count(*) from runs where ended_at is null group by 1")
            return dict(await rows.fetchall())
    except psycopg.Error:
        return None


async def open_runs(parts: Connections) -> dict[str, int]:
    """How many runs are open on each digest, as the log of flow's state says. Raises StillUsed while flow is behind."""
    topic = parts.topic(topics.TOKENS)
    places = [Place(topic, number) for number in range(await parts.producer.partitions(topic))]
    behind = sum((await parts.offsets.lag(parts.group("flow"), places)).values())
    if behind:
        raise StillUsed(f"flow has {behind} messages to take first, and some may begin runs; try again")
    log, found = StateLog(parts), Counter[str]()
    for place in places:
        rows, _ = await log.read(place.partition)
        found.update(values[OPEN]["digest"] for values in rows.values() if OPEN in values and DONE not in values)
    return dict(found)
