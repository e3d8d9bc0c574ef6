"""One version of a pipeline, as the catalogue has it."""

import dataclasses
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from streams.errors import Blame
from streams.flow.rollout import Rollout, Trial
from streams.language.topology import Topology
from streams.runtime.errors import RuntimeFault


class Owner(StrEnum):
    """Who may change a pipeline."""

    GIT = "git"
    HTTP = "http"


@dataclass(frozen=True)
class Version:
    """A version of a pipeline as the catalogue has it."""

    name: str
    digest: str
    active: bool
    source: str
    topology: str
    etag: str
    """`<number>-<digest>`: what a writer must name to change the pipeline."""
    owner: Owner
    at: float
    """When it was published (epoch seconds)."""
    staged: bool = False
    """Whether the record only makes the digest known."""
    candidate: str | None = None
    """The digest that is tried beside this one; None without a trial."""
    share: float = 0.0
    """The part of new runs that the candidate takes, 0 to 1."""
    shadow: bool = False
    """Whether the candidate repeats every request unseen instead."""

    @property
    def number(self) -> int:
        """The number of this change among those of its name, from 1; 0 for a version that was never active."""
        return int(self.etag.partition("-")[0])

    @property
    def trial(self) -> Trial:
        """How the candidate is tried."""
        return Trial(self.share, self.shadow)

    @property
    def rollout(self) -> Rollout:
        """Which version each run takes."""
        return Rollout(self.digest, self.candidate, self.trial)

    def same(self, other: "Version") -> bool:
        """Compare the contents of both, regardless of their numbers and times."""
        return _content(self) == _content(other)

    @property
    def key(self) -> bytes:
        """The record's key."""
        return f"{self.name}@{self.digest}".encode()

    def to_record(self) -> dict[str, Any]:
        """Convert to a millrace.PipelineRecord."""
        return {**dataclasses.asdict(self), "owner": self.owner.value}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Version":
        """Convert from a millrace.PipelineRecord. Raises TypeError, and ValueError for an unknown owner."""
        return cls(**{**record, "owner": Owner(record["owner"])})


class Conflict(RuntimeFault):
    """Another writer has changed the pipeline; `current` is its active version, or None."""

    blame = Blame.CALLER

    def __init__(self, name: str, current: Version | None) -> None:
        self.current = current
        now = f"it is at {current.etag} now" if current else "it does not exist now"
        super().__init__(f"pipeline {name} was changed by somebody else: {now}; read it again, then repeat the change")


def new_version(topology: Topology, source: str, owner: Owner) -> Version:
    """Build the version that makes a topology the active one; it gets its number when it is published."""
    text = topology.to_json().decode()
    return Version(topology.name, topology.digest, True, source, text, "", owner, time.time())


def withdrawn(version: Version) -> Version:
    """Build the version that takes a pipeline out of use."""
    return dataclasses.replace(version, active=False, candidate=None, share=0.0, shadow=False, at=time.time())


def _content(version: Version) -> tuple[object, ...]:
    published = (version.digest, version.active, version.source, version.owner)
    return (*published, version.candidate, version.share, version.shadow)
