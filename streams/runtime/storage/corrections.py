"""Building the next version of a dataset from the corrections in PostgreSQL and the inputs kept in S3."""

import asyncio
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from schemas.contracts import Contract
from schemas.refs import Ref, walk
from streams.datasets import test_fingerprints
from streams.datasets.corrections import Correction, Extended, extend
from streams.datasets.corrections import examples as labelled
from streams.datasets.download import select
from streams.datasets.manifest import Manifest
from streams.errors import Blame, MillraceError
from streams.runtime.errors import Missing
from streams.runtime.history import tables
from streams.runtime.storage import datasets
from streams.runtime.storage.store import Store

_SELECT = """
select p.id, p.model, p.version, p.kept, p.output -> %(label)s::text as said, c.new, c.author, c.at, r.input
from predictions p
join lateral (select id, new, author, at from corrections where prediction = p.id order by id desc limit 1) c on true
left join runs r on r.run = p.run
where p.service = %(service)s
order by c.id
"""


class NothingToLearn(MillraceError):
    """A service has no label that can be corrected, or no dataset to add corrections to; the message names it."""

    blame = Blame.CALLER


async def collect(connection: psycopg.AsyncConnection[Any], contract: Contract) -> list[Correction]:
    """Read the corrections that count of a service's predictions, oldest first. Raises psycopg.Error."""
    await tables.ensure(connection)
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SELECT, {"service": contract.name, "label": contract.label})
        return [_correction(contract, row) for row in await cursor.fetchall()]


async def make(store: Store, connection: psycopg.AsyncConnection[Any], contract: Contract, folder: Path) -> Extended:
    """Store the version of a service's dataset with all its corrections in S3. `folder`: the data directory of its base.

    Raises NothingToLearn, DataError, BadManifest, StoreUnavailable and psycopg.Error.
    """
    if not (contract.label and contract.dataset):
        raise NothingToLearn(f"{contract.name} names no label and no dataset that corrections could add to")
    kept = await datasets.keep(contract.dataset, select([contract.dataset]), folder, store)
    base = kept.manifest
    held = test_fingerprints.known(
        {name: await datasets.content(base, name, store) for name in test_fingerprints.needed(base)}
    )
    corrections = await collect(connection, contract)
    refs = [ref for correction in corrections for ref in (correction.kept, *correction.inputs) if ref is not None]
    extended = extend(base, corrections, await _prints(store, refs), held)
    # An existing manifest stays as it is: it also says who corrected what first.
    await store.create(extended.manifest.key, extended.manifest.to_json().encode())
    return extended


async def examples(dataset: Manifest, store: Store) -> list[tuple[Any, bytes]]:
    """Read what people corrected in a version: labels and inputs, by file name. Raises Missing, BadManifest, StoreUnavailable."""
    return [(label, await datasets.content(dataset, file.name, store)) for label, file in labelled(dataset)]


async def _prints(store: Store, refs: Iterable[Ref]) -> dict[str, frozenset[str]]:
    """Compute the fingerprints of objects by their hash; missing objects are left out."""
    prints: dict[str, frozenset[str]] = {}
    for ref in refs:
        if ref.sha256 in prints or ref.bucket != store.bucket:
            continue
        try:
            prints[ref.sha256] = await asyncio.to_thread(test_fingerprints.prints, await store.get(ref))
        except Missing:
            continue
    return prints


def _correction(contract: Contract, row: dict[str, Any]) -> Correction:
    return Correction(
        prediction=str(row["id"]),
        service=contract.name,
        model=f"{row['model']} {row['version']}",
        said=row["said"],
        label=row["new"],
        author=row["author"],
        at=row["at"].astimezone(UTC).isoformat(timespec="seconds"),
        kept=Ref.from_dict(row["kept"]) if row["kept"] else None,
        inputs=tuple(ref for _, ref in walk(None, row["input"])),
    )
