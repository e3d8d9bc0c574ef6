"""Dataset versions in S3, for the commands about them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from streams.cli.exits import Exit, Failed
from streams.cli.settings import settings
from streams.datasets.download import DataError
from streams.datasets.manifest import BadManifest, Manifest
from streams.runtime.errors import StoreUnavailable
from streams.runtime.storage.corrections import NothingToLearn
from streams.runtime.storage.store import Store

T = TypeVar("T")


def document(manifest: Manifest) -> dict[str, object]:
    """Return a dataset version as JSON values."""
    files = [{"name": file.name, "sha256": file.sha256, "key": file.key} for file in manifest.files]
    return {"dataset": manifest.label, "name": manifest.name, "version": manifest.version, "files": files}


def stored(action: Callable[[Store], Awaitable[T]]) -> T:
    """Run an action on the object store. Raises Failed for its errors."""

    async def act() -> T:
        store = Store(settings())
        try:
            await store.ensure_bucket()
            return await action(store)
        finally:
            store.close()

    try:
        return asyncio.run(act())
    except (DataError, BadManifest, NothingToLearn) as error:
        raise Failed(Exit.REFUSED, str(error)) from error
    except psycopg.OperationalError as error:
        raise Failed(Exit.UNAVAILABLE, f"the run history (PostgreSQL) does not answer: {error}") from error
    except StoreUnavailable as error:
        raise Failed(Exit.UNAVAILABLE, f"the object store does not answer: {error}") from error
