"""What the gateway asks of its stores. PostgreSQL is behind them; in unit tests, plain lists in memory.

Every call may raise HistoryUnavailable.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gateway.api.page_cursor import Position
from gateway.data.logged_event import LoggedEvent
from streams.errors import Blame, MillraceError

Row = Mapping[str, Any]
"""One row of a table, by column."""


class HistoryUnavailable(MillraceError):
    """Raised when PostgreSQL does not answer; the same call may succeed later."""

    blame = Blame.NOBODY


@dataclass(frozen=True)
class RunFilter:
    """Selects runs. `before` is the position of the last run of the page before: its time and id."""

    pipeline: str | None = None
    statuses: Sequence[str] = ()
    after: datetime | None = None
    until: datetime | None = None
    before: Position | None = None
    limit: int = 50
    shadow_of: str | None = None
    """Only shadows of this run; None selects no shadows."""


@dataclass(frozen=True)
class Counts:
    """How many runs there are by (pipeline, status), node executions by (service, status), and so on."""

    runs: Mapping[tuple[str, str], int]
    executions: Mapping[tuple[str, str], int]
    shadows: Mapping[tuple[str, str], int]
    """Comparisons of shadows with what callers got, by (pipeline, verdict)."""
    notices: Mapping[str, int]
    """Notices of ended runs by state: waiting, delivered, given up."""
    drift: Mapping[tuple[str, str, str, str], float]
    """Population stability indices by (service, model, version, feature)."""
    reach: Mapping[int, int]
    """For each partition of run.events the offset before which every event is recorded."""
    behind: int = 0
    """Events that this gateway has read and that are not recorded yet."""


class RunHistory(Protocol):
    """The runs that the recorder has written."""

    async def ping(self) -> None:
        """Return when the store answers."""

    async def reach(self, partition: int) -> int:
        """Return the offset of run.events before which every event of the partition is in the history."""

    async def events(self, run: str, after: int = -1, limit: int | None = None) -> list[LoggedEvent]:
        """Return the run's events past the offset `after`, in order."""

    async def runs(self, wanted: RunFilter) -> Sequence[Row]:
        """Return a page of runs, newest first."""

    async def replays(self, run: str) -> list[str]:
        """Return the runs that repeat this one, oldest first."""

    async def open_runs(self, pipeline: str) -> dict[str, int]:
        """Return how many runs of a pipeline have not ended, by digest."""

    async def shadow(self, pipeline: str, digest: str) -> dict[str, Any]:
        """Return the results of a version in the shadow: counts, where outputs differ, and the last pairs that differ."""

    async def counts(self) -> Counts:
        """Return statistics over everything that the history holds."""


@dataclass(frozen=True)
class PredictionFilter:
    """Selects predictions, newest first. `before` is the position of the last one of the page before."""

    service: str | None = None
    model: str | None = None
    version: str | None = None
    run: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    below: float | None = None
    """Only predictions with a lower confidence; those without one are excluded."""
    corrected: bool | None = None
    before: Position | None = None
    limit: int = 50


class PredictionStore(Protocol):
    """What models predicted, as the recorder wrote it down, and people's corrections of it."""

    async def page(self, wanted: PredictionFilter) -> Sequence[Row]:
        """Return a page, newest first."""

    async def find(self, identity: str) -> tuple[Row, Sequence[Row]] | None:
        """Return a prediction and its corrections, oldest first; None when there is no such id."""

    async def drift(self, service: str | None, version: str | None) -> Sequence[Row]:
        """Return the last measurements: of a service, of a version of its model, or of all."""

    async def correct(self, identity: str, label: str, right: Any, author: str) -> bool:
        """Record that the output's field `label` should have been `right`; False when that is its label already."""


class NoticeStore(Protocol):
    """The notices of ended runs."""

    async def page(self, state: str | None, run: str | None, since: datetime | None, limit: int) -> Sequence[Row]:
        """Return notices, newest first."""

    async def resend(self, identity: str) -> Row | None:
        """Mark a notice to be sent again at once, with a fresh count of tries; None when there is no such id."""


@dataclass(frozen=True)
class CallbackClaim:
    """One callback that this gateway is to try now."""

    run: str
    url: str
    receiver: str
    """Its host and port."""
    tries: int
    """Tries so far, this one included."""


class CallbackStore(Protocol):
    """The callbacks that are still to be made, shared by all gateways."""

    async def add(self, run: str, url: str) -> None:
        """Keep a callback; one that is kept already stays as it is."""

    async def claim(self, ended: Collection[str], busy: Collection[str]) -> list[CallbackClaim]:
        """Claim callbacks that are due: of `ended` runs too, whose end may not be recorded yet, and none at `busy` receivers.

        Another gateway may claim them again when they are not settled within a minute.
        """

    async def settle(self, run: str, outcome: str | None, error: str, pause: float) -> None:
        """Record the result of a try: "delivered", "given up", or None to try again after `pause` seconds."""
