"""Bundles and dataset versions in S3, as blocking calls."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from streams.datasets.corrections import published
from streams.datasets.manifest import Manifest, of_catalogue
from streams.models import Bundle, Champion
from streams.models.bundle import CARD, prefix_of
from streams.runtime.errors import Missing
from streams.runtime.storage import corrections, datasets
from streams.runtime.storage.bundles import HeldBundle, fetch
from streams.runtime.storage.store import Store
from streams.settings import Settings
from training.part import BadOrder

T = TypeVar("T")


class Objects:
    """The bucket of an installation. Every call raises StoreUnavailable if the server does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: list[HeldBundle] = []
        """While this object lives, no worker deletes fetched bundles."""

    def keep(self, slot: str, bundle: Bundle) -> None:
        """Store a bundle, its card last, so that a card implies all files. Existing objects are not replaced."""

        async def act(store: Store) -> None:
            for name in (*bundle.files, CARD):
                await store.create(f"{prefix_of(slot, bundle.version)}/{name}", (bundle.folder / name).read_bytes())

        self._do(act)

    def fetch(self, champion: Champion) -> Bundle:
        """Return the bundle of a version, from the workers' cache in this home or from S3. Raises BadBundle."""
        self._held.append(self._do(lambda store: fetch(store, champion, self._settings.home / "models")))
        return self._held[-1].bundle

    def names(self, prefix: str) -> list[str]:
        """List the keys with this prefix."""
        return self._do(lambda store: store.list(prefix))

    def dataset(self, label: str) -> Manifest:
        """Return the dataset version of this name. Raises BadOrder if it does not exist, or is not based on the data catalogue's."""
        if label == of_catalogue(label.partition("@")[0]).label:
            return of_catalogue(label.partition("@")[0])
        try:
            version = self._do(lambda store: datasets.version(label, store))
        except Missing as error:
            raise BadOrder(f"dataset: {error}") from error
        base, here = published(version).label, of_catalogue(version.name).label
        if base != here:
            raise BadOrder(f"dataset: {label} was made of {base}, and what the data catalogue has is {here}")
        return version

    def examples(self, dataset: Manifest) -> tuple[tuple[Any, bytes], ...]:
        """Read the corrections of a version: labels and inputs. Raises Missing and BadManifest."""
        return tuple(self._do(lambda store: corrections.examples(dataset, store)))

    def _do(self, action: Callable[[Store], Awaitable[T]]) -> T:
        async def act() -> T:
            store = Store(self._settings)
            try:
                return await action(store)
            finally:
                store.close()

        return asyncio.run(act())
