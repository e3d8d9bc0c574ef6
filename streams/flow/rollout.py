"""Choose the version of a pipeline for a run while a candidate is on trial. Pure: the run's id decides."""

import hashlib
import uuid
from dataclasses import dataclass

from streams.messages import NAMESPACE


@dataclass(frozen=True)
class Trial:
    """How a candidate is tried: on a `share` (0 to 1) of the runs, or as a `shadow` that repeats every run unseen."""

    share: float = 0.0
    shadow: bool = False

    def __str__(self) -> str:
        return "shadow" if self.shadow else f"canary: {self.share * 100:g}%"


@dataclass(frozen=True)
class Rollout:
    """The active digest of a pipeline, and the candidate's, if one is on trial."""

    active: str
    candidate: str | None = None
    trial: Trial = Trial()

    def digest(self, run: str) -> str:
        """Return the digest for a run: the same on every gateway and at every delivery."""
        chosen = self.candidate is not None and not self.trial.shadow and position(run) < self.trial.share
        return self.candidate if chosen and self.candidate else self.active

    @property
    def shadow(self) -> str | None:
        """The digest that repeats every request unseen; None without one."""
        return self.candidate if self.trial.shadow else None


def position(run: str) -> float:
    """Map a run's id evenly to [0, 1); a share takes the runs below it."""
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:8], "big") / 2**64


def shadow_run(run: str, digest: str) -> str:
    """Return the id of the run that repeats this one on a candidate."""
    return str(uuid.uuid5(NAMESPACE, f"shadow\0{run}\0{digest}"))


def percent(text: str) -> float:
    """Parse a share such as `10%` or `0.1`. Raises ValueError with the accepted range."""
    number = text.strip()
    try:
        share = float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise ValueError(f"{text!r} is not a share: give a percentage above 0% and below 100%, such as 10%")
    return share
