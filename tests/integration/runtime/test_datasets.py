"""Dataset versions in a real object store: contents once, the manifest last, and what was changed is noticed."""

import asyncio
import gzip
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from streams.datasets.catalogue import Entry
from streams.datasets.download import DataError
from streams.datasets.manifest import BadManifest, of_entries
from streams.runtime.errors import Missing
from streams.runtime.storage.datasets import content, keep, versions
from streams.runtime.storage.store import Store
from streams.settings import Settings


@dataclass(frozen=True)
class Letters:
    """A dataset whose content nobody else has, as a catalogue would have it."""

    name: str
    entries: tuple[Entry, ...]
    folder: Path
    """The data directory that it is in."""


@pytest.fixture
def letters(tmp_path: Path) -> Letters:
    """Two files, one of them packed."""
    name = f"letters-{uuid.uuid4().hex[:8]}"
    entries = []
    for part in ("a.txt", "b.txt.gz"):
        text = f"{name} {part}".encode()
        packed = part.endswith(".gz")
        file = gzip.compress(text) if packed else text
        path = tmp_path / name / part
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file)
        unpacked = sha256(text).hexdigest() if packed else ""
        entries.append(
            Entry(f"{name}/{part}", len(file), sha256(file).hexdigest(), "https://example.org", "CC0", "", unpacked)
        )
    return Letters(name, tuple(entries), tmp_path)


def _with(settings: Settings, action: Callable[[Store], Awaitable[None]]) -> None:
    async def main() -> None:
        store = Store(settings)
        await store.ensure_bucket()
        try:
            await action(store)
        finally:
            store.close()

    asyncio.run(main())


def test_a_version_is_kept_once(settings: Settings, letters: Letters) -> None:
    """Its contents come back unpacked and whole; keeping it again stores nothing new; it is listed by its name."""
    name = letters.name

    async def act(store: Store) -> None:
        first = await keep(name, letters.entries, letters.folder, store)
        assert first.manifest == of_entries(name, letters.entries)
        assert first.stored == 2
        again = await keep(name, letters.entries, letters.folder, store)
        assert (again.manifest, again.stored) == (first.manifest, 0)
        assert await versions(store, [name]) == (first.manifest,)
        assert first.manifest in await versions(store)
        assert await content(first.manifest, f"{name}/b.txt", store) == f"{name} b.txt.gz".encode()
        with pytest.raises(Missing, match="has no file"):
            await content(first.manifest, f"{name}/c.txt", store)

    _with(settings, act)


def test_a_changed_content_or_manifest_is_refused(settings: Settings, letters: Letters) -> None:
    """A content or a manifest that is not what its name says is refused by name."""
    name = letters.name

    async def act(store: Store) -> None:
        made = (await keep(name, letters.entries, letters.folder, store)).manifest
        await store.write(made.files[0].key, b"something else")
        with pytest.raises(BadManifest, match="other bytes"):
            await content(made, made.files[0].name, store)
        lies = (
            replace(made, files=made.files[:1])
            .to_json()
            .replace(replace(made, files=made.files[:1]).version, made.version)
        )
        await store.write(made.key, lies.encode())
        with pytest.raises(BadManifest, match=made.version):
            await versions(store, [name])
        await store.delete([made.key, *(one.key for one in made.files)])

    _with(settings, act)


def test_nothing_is_named_before_it_is_there(settings: Settings, letters: Letters) -> None:
    """When a file cannot be had, no version appears."""
    name = letters.name
    (letters.folder / name / "a.txt").write_bytes(b"another content")

    async def act(store: Store) -> None:
        with pytest.raises(DataError, match="remove it"):
            await keep(name, letters.entries, letters.folder, store)
        assert await versions(store, [name]) == ()

    _with(settings, act)
