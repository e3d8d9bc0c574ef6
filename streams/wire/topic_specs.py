"""What each topic needs from the broker: partitions and configuration. Pure values; local `apply` and Strimzi resources read them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streams.wire import topics
from streams.wire.topics import RETRY_TIERS, Topics

_HOUR = 3600 * 1000
_DAY = 24 * _HOUR

_COMPACTED: Mapping[str, str] = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": str(_HOUR),
    "delete.retention.ms": str(_DAY),
}
_REPEATED: Mapping[str, str] = {**_COMPACTED, "cleanup.policy": "compact,delete", "retention.ms": str(_DAY)}
"""Heartbeat topics: compacted and deleted by age, because compaction alone would keep the last record of dead workers forever."""


STAMPED_BY_BROKER: Mapping[str, str] = {"message.timestamp.type": "LogAppendTime"}
"""Records of others are kept, and a run's time is counted, from when they came: their own clocks may be years away."""


@dataclass(frozen=True)
class TopicSpec:
    """One topic. `config` holds only what differs from the broker's own settings."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    fixed: bool = True
    """Whether more partitions would do harm: what belongs together is found by its key."""

    def differs(self, partitions: int) -> str | None:
        """Return what is wrong with an existing topic of this many partitions; None when nothing is."""
        if partitions == self.partitions or (partitions > self.partitions and not self.fixed):
            return None
        wrong = f"topic {self.name} has {partitions} partitions, and {self.partitions} are needed"
        return f"{wrong}: its keys would land elsewhere" if self.fixed else f"{wrong}: add some"


def core(names: Topics, partitions: int) -> tuple[TopicSpec, ...]:
    """Return the topics that every installation has. Those that flow reads all have `partitions` partitions."""
    return (
        TopicSpec(names.named(topics.EVENTS), partitions, _kept(7 * _DAY)),
        TopicSpec(names.named(topics.TOKENS), partitions, _kept(7 * _DAY)),
        TopicSpec(names.named(topics.STATE), partitions, _COMPACTED),
        TopicSpec(names.named(topics.CONTROL), partitions, _kept(_DAY)),
        TopicSpec(names.named(topics.SERVICES), 1, _REPEATED),
        TopicSpec(names.named(topics.WORKERS), 1, _REPEATED),
        TopicSpec(names.named(topics.PIPELINES), 1, _COMPACTED),
        TopicSpec(names.named(topics.MODELS), 1, _COMPACTED),
        TopicSpec(names.named(topics.DEAD_LETTERS), 1, _kept(30 * _DAY)),
        *(TopicSpec(names.retry(tier), partitions, _kept(7 * _DAY), fixed=False) for tier, _ in RETRY_TIERS),
    )


def pipeline(names: Topics, name: str, partitions: int) -> tuple[TopicSpec, ...]:
    """Return the public topics of a pipeline."""
    return (
        TopicSpec(names.requests(name), partitions, {**_kept(7 * _DAY), **STAMPED_BY_BROKER}, fixed=False),
        TopicSpec(names.results(name), partitions, _kept(7 * _DAY), fixed=False),
    )


def service(names: Topics, name: str, major: int, partitions: int) -> TopicSpec:
    """Return the topic of the tasks of a service's major version."""
    return TopicSpec(names.tasks(name, major), partitions, _kept(7 * _DAY), fixed=False)


def every(
    names: Topics, partitions: int, *, services: Iterable[tuple[str, int]] = (), pipelines: Iterable[str] = ()
) -> tuple[TopicSpec, ...]:
    """Return all topics of an installation; a service (name, major) brings its pipeline of one node."""
    services = sorted(set(services))
    edges = sorted({*pipelines, *(name for name, _ in services)})
    return (
        *core(names, partitions),
        *(service(names, name, major, partitions) for name, major in services),
        *(spec for name in edges for spec in pipeline(names, name, partitions)),
    )


def _kept(milliseconds: int) -> Mapping[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(milliseconds)}
