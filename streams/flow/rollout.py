"""Which version of a pipeline a run takes while another one is tried beside the active one. Pure: the run's id decides."""

import hashlib
import uuid
from dataclasses import dataclass

from streams.messages import NAMESPACE


@dataclass(frozen=True)
class Trial:
    """How a new version is tried: for a `share` (0 to 1) of the runs, or as a `shadow`, for all of them but unseen."""

    share: float = 0.0
    shadow: bool = False

    def __str__(self) -> str:
        return "shadow" if self.shadow else f"canary: {self.share * 100:g}%"


@dataclass(frozen=True)
class Rollout:
    """The active digest of a pipeline, and the one that is tried, if any."""

    active: str
    candidate: str | None = None
    trial: Trial = Trial()

    def digest(self, run: str) -> str:
        """The digest that this run takes: the same on every gateway and at every delivery."""
        chosen = self.candidate is not None and not self.trial.shadow and position(run) < self.trial.share
        return self.candidate if chosen and self.candidate else self.active

    @property
    def shadow(self) -> str | None:
        """The digest that repeats every request unseen."""
        return self.candidate if self.trial.shadow else None


def position(run: str) -> float:
    """Where a run's id stands between 0 and 1, evenly spread; a share takes those below it."""
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:8], "big") / 2**64


def shadow_run(run: str, digest: str) -> str:
    """The id of the run that repeats this one on a version that is tried."""
    return str(uuid.uuid5(NAMESPACE, f"shadow\0{run}\0{digest}"))


def percent(text: str) -> float:
    """The share that `10%` or `0.1` says. Raises ValueError, with what is taken."""
    number = text.strip()
    try:
        share = float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise ValueError(f"{text!r} is no share: say a percentage above 0% and below 100%, such as 10%")
    return share
