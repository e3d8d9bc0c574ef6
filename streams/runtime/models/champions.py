"""The model registry by SQL: MLflow's own tables, read and written without MLflow, which serving machines do not have.

Uses only what MLflow 2.3 and later have in common: later columns have defaults. A test checks this against MLflow itself.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.errors import UndefinedTable
from psycopg.rows import DictRow, dict_row

from streams.errors import Blame
from streams.models.bundle import is_version, prefix_of
from streams.models.champion import ALIAS, BUNDLE, MODEL, VERSION, Champion
from streams.runtime.errors import RuntimeFault, Unavailable
from streams.settings import Settings
from streams.timestamps import moment

Connection = psycopg.AsyncConnection[DictRow]

_VERSIONS = """
select v.name as slot, v.version as number, v.creation_time as created, v.description,
       exists (select from registered_model_aliases a
               where a.name = v.name and a.version = v.version and a.alias = %(alias)s) as champion,
       (select jsonb_object_agg(t.key, t.value) from model_version_tags t
        where t.name = v.name and t.version = v.version) as tags
from model_versions v
where v.current_stage is distinct from 'Deleted_Internal' and (%(slot)s::text is null or v.name = %(slot)s)
order by v.name, v.version
"""


class ModelRegistryUnavailable(Unavailable):
    """MLflow's database does not answer."""


class NoSuchVersion(RuntimeFault):
    """The registry has no such version of the slot; the message lists those that it has."""

    blame = Blame.CALLER


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a slot in the registry."""

    slot: str
    number: int
    created: float
    """Epoch seconds."""
    champion: bool
    """Whether it has the champion's alias."""
    tags: dict[str, str]

    @property
    def version(self) -> str:
        """The version of its bundle; empty when it has no valid tag."""
        version = self.tags.get(VERSION, "")
        return version if is_version(version) else ""

    def document(self) -> dict[str, Any]:
        """Return its entry in lists, as JSON values."""
        return {
            "slot": self.slot,
            "number": self.number,
            "version": self.version or None,
            "model": self.tags.get(MODEL),
            "champion": self.champion,
            "registered": moment(self.created),
            "tags": self.tags,
        }

    def as_champion(self) -> Champion | None:
        """Return it as a champion for workers; None when it names no bundle."""
        if not self.version:
            return None
        bundle = self.tags.get(BUNDLE, "").strip("/") or prefix_of(self.slot, self.version)
        return Champion(self.slot, self.tags.get(MODEL, self.slot), self.version, self.number, bundle)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Connection | None]:
    """Connect to MLflow's database; yield None where there is no database, because nothing was trained yet.

    Raises ModelRegistryUnavailable.
    """
    try:
        connection = await psycopg.AsyncConnection.connect(
            settings.mlflow_database, autocommit=True, connect_timeout=5, row_factory=dict_row
        )
    except psycopg.OperationalError as error:
        if re.search('database ".*" does not exist', str(error)):  # the client reports no error code for it
            yield None
            return
        raise ModelRegistryUnavailable(f"MLflow's database does not answer: {error}") from error
    try:
        yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise ModelRegistryUnavailable(f"MLflow's database does not answer: {error}") from error
    finally:
        await connection.close()


async def versions(connection: Connection, slot: str | None = None) -> list[RegisteredVersion]:
    """Return every version of a slot, or of all slots, oldest first; none before MLflow has created its tables."""
    # Checked first: PostgreSQL would log each query of a missing table as an error.
    cursor = await connection.execute("select to_regclass('registered_model_aliases') is not null as made")
    row = await cursor.fetchone()
    if row is None or not row["made"]:
        return []
    cursor = await connection.execute(_VERSIONS, {"alias": ALIAS, "slot": slot})
    return [_registered(row) for row in await cursor.fetchall()]


async def promote(connection: Connection, slot: str, version: str) -> RegisteredVersion:
    """Move the alias to a version, by its number in the registry or its bundle's version; in one transaction, as MLflow does.

    Raises NoSuchVersion.
    """
    async with connection.transaction():
        known = await versions(connection, slot)
        matching = [each for each in known if version in (str(each.number), each.version)]
        if not matching:
            there = ", ".join(f"{each.number} ({each.version or 'no bundle'})" for each in known) or "none"
            raise NoSuchVersion(f"the registry has no version {version} of {slot}; there are: {there}")
        if not matching[-1].version:
            raise NoSuchVersion(
                f"version {version} of {slot} has no tag {VERSION}: it names no bundle that could serve"
            )
        where: dict[str, Any] = {"slot": slot, "alias": ALIAS, "number": matching[-1].number}
        moved = await connection.execute(
            "update registered_model_aliases set version = %(number)s where name = %(slot)s and alias = %(alias)s",
            where,
        )
        if not moved.rowcount:
            await connection.execute(
                "insert into registered_model_aliases (name, alias, version) values (%(slot)s, %(alias)s, %(number)s)",
                where,
            )
    return matching[-1]


async def demote(connection: Connection, slot: str) -> bool:
    """Remove the alias, so that the shipped bundle serves; return whether there was one."""
    try:
        deleted = await connection.execute(
            "delete from registered_model_aliases where name = %s and alias = %s", (slot, ALIAS)
        )
    except UndefinedTable:
        return False
    return bool(deleted.rowcount)


def _registered(row: DictRow) -> RegisteredVersion:
    tags = {key: str(value) for key, value in (row["tags"] or {}).items()}
    return RegisteredVersion(row["slot"], int(row["number"]), (row["created"] or 0) / 1000, row["champion"], tags)
