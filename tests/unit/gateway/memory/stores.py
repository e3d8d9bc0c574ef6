"""What PostgreSQL, S3 and MLflow keep, in memory. Tests fill the lists; rows have the columns of the tables."""

import dataclasses
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from obstore.store import MemoryStore

from gateway.data.interfaces import (
    CallbackClaim,
    Counts,
    HistoryUnavailable,
    PredictionFilter,
    Row,
    RunFilter,
)
from gateway.data.logged_event import LoggedEvent
from gateway.data.models import ModelVersions
from gateway.data.objects import Objects
from streams.runtime.models.champions import NoSuchVersion, RegisteredVersion
from streams.settings import Settings


class MemoryObjects(Objects):
    """The bucket: the real class on obstore's store in memory."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._client = MemoryStore()  # type: ignore[assignment]  # the same calls take it


class MemoryHistory:
    """The runs that a recorder would have written."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.recorded: dict[str, list[LoggedEvent]] = {}
        self.progress: dict[int, int] = {}
        self.shadow_results: dict[str, Any] = {"verdicts": [], "runs": 0, "paths": [], "last": []}
        self.unavailable = False

    def add(self, run: str, status: str = "finished", **columns: Any) -> None:
        """Record a run."""
        now = datetime.now(UTC)
        row = {"run": run, "pipeline": "greet", "digest": "d" * 64, "status": status, "waiting_for": None}
        times = {"accepted_at": now, "ended_at": now if status == "finished" else None, "deadline": now}
        self.rows.append({**row, **times, "failure": None, "replay_of": None, "shadow_of": None, **columns})

    def _check(self) -> None:
        if self.unavailable:
            raise HistoryUnavailable("the run history (PostgreSQL) does not answer: it is switched off")

    async def ping(self) -> None:
        """Raise HistoryUnavailable while it is switched off."""
        self._check()

    async def reach(self, partition: int) -> int:
        """Return how far a partition is recorded."""
        self._check()
        return self.progress.get(partition, 0)

    async def events(self, run: str, after: int = -1, limit: int | None = None) -> list[LoggedEvent]:
        """Return the recorded events of a run."""
        self._check()
        events = [dataclasses.replace(event) for event in self.recorded.get(run, ()) if event.sequence > after]
        return events[:limit]

    async def runs(self, wanted: RunFilter) -> Sequence[Row]:
        """Return a page of runs, newest first."""
        self._check()
        rows = [row for row in self.rows if _is_among(row, wanted)]
        rows.sort(key=lambda row: (row["accepted_at"], row["run"]), reverse=True)
        if wanted.before is not None:
            rows = [row for row in rows if (row["accepted_at"], row["run"]) < wanted.before]
        return rows[: wanted.limit]

    async def replays(self, run: str) -> list[str]:
        """Return the runs that repeat this one."""
        self._check()
        return [row["run"] for row in self.rows if row["replay_of"] == run]

    async def open_runs(self, pipeline: str) -> dict[str, int]:
        """Return how many runs of a pipeline have not ended, by digest."""
        self._check()
        return Counter(row["digest"] for row in self.rows if row["pipeline"] == pipeline and row["ended_at"] is None)

    async def shadow(self, pipeline: str, digest: str) -> dict[str, Any]:
        """Return what a test has set."""
        self._check()
        return self.shadow_results

    async def counts(self) -> Counts:
        """Count the runs."""
        self._check()
        return Counts(Counter((row["pipeline"], row["status"]) for row in self.rows), {}, {}, {}, {}, self.progress)


def _is_among(row: Row, wanted: RunFilter) -> bool:
    return (
        row["shadow_of"] == wanted.shadow_of
        and wanted.pipeline in (None, row["pipeline"])
        and (not wanted.statuses or row["status"] in wanted.statuses)
        and (wanted.after is None or row["accepted_at"] >= wanted.after)
        and (wanted.until is None or row["accepted_at"] < wanted.until)
    )


class MemoryPredictions:
    """Predictions and their corrections."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.corrections: dict[str, list[dict[str, Any]]] = {}
        self.drifts: list[dict[str, Any]] = []

    def add(self, **columns: Any) -> str:
        """Record a prediction; its id."""
        identity = str(uuid.uuid4())
        row = {
            "id": uuid.UUID(identity),
            "run": str(uuid.uuid4()),
            "node": "n",
            "path": "n",
            "service": "digit-recognition",
        }
        model = {"model": "digits", "version": "a" * 12, "input": "0" * 64, "kept": None, "confidence": 0.9}
        self.rows.append({**row, **model, "output": {"digit": 3}, "at": datetime.now(UTC), **columns})
        return identity

    async def page(self, wanted: PredictionFilter) -> Sequence[Row]:
        """Return a page, newest first."""
        rows = [self._joined(row) for row in self.rows]
        rows = [
            row
            for row in rows
            if wanted.service in (None, row["service"])
            and wanted.model in (None, row["model"])
            and wanted.version in (None, row["version"])
            and wanted.run in (None, row["run"])
            and (wanted.since is None or row["at"] >= wanted.since)
            and (wanted.until is None or row["at"] < wanted.until)
            and (wanted.below is None or (row["confidence"] is not None and row["confidence"] < wanted.below))
            and wanted.corrected in (None, row["author"] is not None)
        ]
        rows.sort(key=lambda row: (row["at"], str(row["id"])), reverse=True)
        if wanted.before is not None:
            rows = [row for row in rows if (row["at"], str(row["id"])) < wanted.before]
        return rows[: wanted.limit]

    async def find(self, identity: str) -> tuple[Row, Sequence[Row]] | None:
        """Return a prediction and its corrections."""
        row = next((row for row in self.rows if str(row["id"]) == identity), None)
        return None if row is None else (self._joined(row), self.corrections.get(identity, []))

    async def drift(self, service: str | None, version: str | None) -> Sequence[Row]:
        """Return what a test has set."""
        return [row for row in self.drifts if service in (None, row["service"])]

    async def correct(self, identity: str, label: str, right: Any, author: str) -> bool:
        """Record a correction; False for the label that counts already."""
        found = await self.find(identity)
        assert found is not None
        history = self.corrections.setdefault(identity, [])
        if history and history[-1]["new"] == right:
            return False
        old = history[-1]["new"] if history else found[0]["output"].get(label)
        history.append({"author": author, "at": datetime.now(UTC), "old": old, "new": right})
        return True

    def _joined(self, row: dict[str, Any]) -> dict[str, Any]:
        history = self.corrections.get(str(row["id"]), [])
        last = history[-1] if history else {"new": None, "author": None, "at": None}
        return {**row, "corrected": last["new"], "author": last["author"], "corrected_at": last["at"]}


class MemoryNotices:
    """Notices of ended runs."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, **columns: Any) -> str:
        """Keep a notice; its id."""
        identity, now = uuid.uuid4(), datetime.now(UTC)
        row = {"id": identity, "run": str(uuid.uuid4()), "pipeline": "greet", "kind": "run.finished"}
        target = {"channel": "webhook", "target": "https://hooks.example/token/secret", "made_at": now, "due": now}
        self.rows.append({**row, **target, "tries": 0, "outcome": None, "error": None, **columns})
        return str(identity)

    async def page(self, state: str | None, run: str | None, since: datetime | None, limit: int) -> Sequence[Row]:
        """Return notices, newest first."""
        rows = [
            row
            for row in self.rows
            if state in (None, row["outcome"] or "waiting")
            and run in (None, row["run"])
            and (since is None or row["made_at"] >= since)
        ]
        return sorted(rows, key=lambda row: row["made_at"], reverse=True)[:limit]

    async def resend(self, identity: str) -> Row | None:
        """Reset a notice."""
        row = next((row for row in self.rows if str(row["id"]) == identity), None)
        if row is not None:
            row.update(outcome=None, tries=0, due=datetime.now(UTC))
        return row


class MemoryCallbacks:
    """Callbacks that are still to be made; none is ever due, so that nothing leaves this process."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def add(self, run: str, url: str) -> None:
        """Keep a callback."""
        self.kept.setdefault(run, url)

    async def claim(self, ended: Collection[str], busy: Collection[str]) -> list[CallbackClaim]:
        """Return nothing."""
        return []

    async def settle(self, run: str, outcome: str | None, error: str, pause: float) -> None:
        """Do nothing."""


class MemoryModels(ModelVersions):
    """The registry of models."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.versions: list[RegisteredVersion] = []

    async def list(self, slot: str | None = None) -> list[RegisteredVersion]:
        """Return the versions of one slot, or of all."""
        return [version for version in self.versions if slot in (None, version.slot)]

    async def promote(self, slot: str, version: str) -> RegisteredVersion:
        """Let a version serve. Raises NoSuchVersion."""
        chosen = [each for each in self.versions if each.slot == slot and version in (str(each.number), each.version)]
        if not chosen:
            raise NoSuchVersion(f"the registry has no version {version} of {slot}")
        self._move(slot, chosen[-1].number)
        return chosen[-1]

    async def demote(self, slot: str) -> bool:
        """Let the shipped model serve."""
        changed = any(each.champion for each in self.versions if each.slot == slot)
        self._move(slot, None)
        return changed

    def _move(self, slot: str, number: int | None) -> None:
        self.versions = [
            dataclasses.replace(each, champion=each.number == number) if each.slot == slot else each
            for each in self.versions
        ]
