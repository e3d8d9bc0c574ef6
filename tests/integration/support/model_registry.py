"""Create a registry of models: a schema with the tables of MLflow, and bundles of one word in S3."""

import contextlib
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

import psycopg

from streams.models import prefix_of
from streams.runtime.storage.store import Store
from streams.settings import Settings

TABLES = """
create table registered_models (
    workspace varchar(63) not null default 'default', name varchar(256) not null, creation_time bigint,
    last_updated_time bigint, description varchar(5000), primary key (workspace, name));
create table model_versions (
    workspace varchar(63) not null default 'default', name varchar(256) not null, version integer not null,
    creation_time bigint, last_updated_time bigint, description varchar(5000), user_id varchar(256),
    current_stage varchar(20), source varchar(500), storage_location varchar(500), run_id varchar(32),
    run_link varchar(500), status varchar(20), status_message varchar(500), primary key (workspace, name, version),
    foreign key (workspace, name) references registered_models (workspace, name) on update cascade);
create table model_version_tags (
    workspace varchar(63) not null default 'default', name varchar(256) not null, version integer not null,
    key varchar(250) not null, value text, primary key (workspace, key, name, version),
    foreign key (workspace, name, version) references model_versions (workspace, name, version) on update cascade);
create table registered_model_aliases (
    workspace varchar(63) not null default 'default', name varchar(256) not null, alias varchar(256) not null,
    version integer not null, primary key (workspace, name, alias),
    foreign key (workspace, name) references registered_models (workspace, name) on update cascade on delete cascade);
"""
"""As MLflow 3.17 makes them."""


@dataclass
class ModelRegistry:
    """The registry of one slot."""

    url: str
    store: Store
    slot: str
    connection: "psycopg.AsyncConnection[tuple[object, ...]] | None" = None
    number: int = 0

    async def make(self) -> None:
        """Makes the tables, as MLflow does when it is first used."""
        await self.execute(TABLES)
        await self.execute("insert into registered_models (name) values (%s)", self.slot)

    async def add(self, word: str, *, spoil: str = "") -> str:
        """Stores and registers a bundle; its version. `spoil`: the file that is not what its card says, or is missing."""
        data = f"{word}\n".encode()
        sha256 = hashlib.sha256(data).hexdigest()
        version, prefix = sha256[:12], prefix_of(f"tests/{uuid.uuid4().hex[:8]}", sha256[:12])
        card = {
            "name": f"oracle_{word}",
            "version": version,
            "files": {"word.txt": sha256},
            "dataset": "words@000000000000",
            "licence": "CC0",
            "metrics": {},
        }
        if spoil != "card":
            await self.store.write(f"{prefix}/card.json", json.dumps(card).encode())
        await self.store.write(f"{prefix}/word.txt", data + b"or not" if spoil == "word" else data)
        self.number += 1
        await self.execute(
            "insert into model_versions (name, version, creation_time, current_stage) values (%s, %s, 1000, 'None')",
            self.slot,
            self.number,
        )
        tags = {"model": card["name"], "version": version, "bundle": prefix}
        for key, value in tags.items():
            await self.execute(
                "insert into model_version_tags (name, version, key, value) values (%s, %s, %s, %s)",
                self.slot,
                self.number,
                f"millrace.{key}",
                value,
            )
        return version

    async def execute(self, query: str, *values: object) -> None:
        """Runs SQL."""
        assert self.connection is not None
        await self.connection.execute(query.encode(), values or None)


@contextlib.asynccontextmanager
async def model_registry(settings: Settings, slot: str) -> AsyncIterator[ModelRegistry]:
    """An empty schema that is used as a database, without MLflow's tables; gone at the end."""
    name = f"t{uuid.uuid4().hex[:10]}"
    url = f"{settings.postgres}?options={quote(f'-csearch_path={name}')}"
    store = Store(settings)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"create schema {name}".encode())
        try:
            yield ModelRegistry(url, store, slot, connection)
        finally:
            await connection.execute(f"drop schema {name} cascade".encode())
            store.close()
