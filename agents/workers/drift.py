"""The drift of models: measured beside the recorder, now and then, of what each met last against what its card says it learned from."""

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import psycopg

from streams.background import ended
from streams.datasets.drift import BadReference, Drift, Reference, measured, read
from streams.models.bundle import CARD, BadBundle, parse, prefix_of
from streams.runtime.errors import Missing, StoreUnavailable
from streams.runtime.history import tables
from streams.runtime.storage.store import Store

log = logging.getLogger(__name__)

PERIOD = 30.0
"""Seconds between two looks; a model that met nothing new is not measured again."""
WINDOW = 1000
"""The newest predictions of a model that count."""
DAYS = 30
"""And none older than this."""

_LATE = 120.0
"""Seconds that a prediction may be written after it was made."""

_NEWS = """
select distinct service, model, version from predictions where at > now() - make_interval(secs => %(seconds)s)
"""
# The input is in the event of the beginning: it is read only where something of it counts.
_VALUES = """
select p.output, case when %(input)s then
    (select e.data -> 'input' from events e
     where e.run = p.run and e.kind = 'node.started' and e.node = p.node and e.path = p.path order by e.sequence limit 1)
  end as input
from predictions p
where p.service = %(service)s and p.version = %(version)s and p.at > now() - make_interval(days => %(days)s)
order by p.at desc limit %(window)s
"""
_KEEP = """
insert into drift (service, model, version, feature, psi, chance, predictions, level)
values (%(service)s, %(model)s, %(version)s, %(feature)s, %(psi)s, %(chance)s, %(count)s, %(level)s)
on conflict (service, version, feature) do update set
    model = excluded.model, psi = excluded.psi, chance = excluded.chance, predictions = excluded.predictions,
    level = excluded.level, measured_at = now()
"""


class DriftWatch:
    """Measures drift in the background. Several at once repeat work without harm."""

    def __init__(self, postgres: str, store: Store, period: float = PERIOD) -> None:
        self._postgres = postgres
        self._store = store
        self._period = period
        self._references: dict[tuple[str, str], Reference | None] = {}
        self._looked = -math.inf
        """When it looked last, by the monotonic clock."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start measuring."""
        self._task = asyncio.create_task(self._run(), name="drift")

    async def stop(self) -> None:
        """Stop."""
        await ended(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._period)
            try:
                async with await tables.connected(self._postgres) as connection:
                    await self.measure(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError, StoreUnavailable) as error:
                log.warning("drift is not measured: %s", error)
            except Exception:  # figures are not worth the end of a recorder
                log.exception("drift is not measured")

    async def measure(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        """Measure every model with new predictions since the last time. Raises psycopg.Error and StoreUnavailable."""
        now = time.monotonic()
        rows = await connection.execute(_NEWS, {"seconds": min(DAYS * 86400.0, now - self._looked + _LATE)})
        for row in await rows.fetchall():
            reference = await self._reference(row["service"], row["version"])
            if reference is None:
                continue
            wanted = any(feature.path[0] == "input" for feature in reference.features)
            cursor = await connection.execute(_VALUES, {**row, "input": wanted, "days": DAYS, "window": WINDOW})
            drifts = await asyncio.to_thread(measured_all, reference, await cursor.fetchall())
            async with connection.transaction():
                for drift in drifts:
                    await connection.execute(_KEEP, {**row, **_row(drift)})
        self._looked = now  # only now: what was cut off is looked at again

    async def _reference(self, service: str, version: str) -> Reference | None:
        """Return the reference in the card of a model's bundle, in S3 or shipped; None when there is no card or it has no reference."""
        key = service, version
        if key not in self._references:
            try:
                card = await self._card(service, version)
                self._references[key] = None if card is None else read(card)
            except (BadBundle, BadReference) as error:
                log.warning("%s", error)
                self._references[key] = None
        return self._references[key]

    async def _card(self, service: str, version: str) -> Mapping[str, Any] | None:
        shipped = _shipped().get(version)
        if shipped is not None:
            return shipped
        key = f"{prefix_of(service, version)}/{CARD}"
        try:
            return parse(await self._store.read(key), key)
        except Missing:
            return None


def measured_all(reference: Reference, rows: Sequence[Mapping[str, Any]]) -> list[Drift]:
    """Measure the drift of every feature; `rows` are predictions with their `output` and `input`."""
    return [
        measured(feature, [_value(row, feature.path) for row in rows], reference.of) for feature in reference.features
    ]


def _value(row: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _row(drift: Drift) -> dict[str, Any]:
    chance = drift.chance if math.isfinite(drift.chance) else None
    return {
        "feature": drift.feature, "psi": drift.psi, "chance": chance, "count": drift.count, "level": drift.level.value,
    }  # fmt: skip


def _shipped() -> dict[str, Mapping[str, Any]]:
    """Read the cards of the bundles shipped with the agents, by version, without importing any agent."""
    bundles: dict[str, Mapping[str, Any]] = {}
    for folder in resources.files("agents").iterdir():
        card = folder.joinpath("model").joinpath(CARD)
        if card.is_file():
            bundle = parse(card.read_bytes(), f"agents/{folder.name}/model")
            bundles[str(bundle["version"])] = bundle
    return bundles
