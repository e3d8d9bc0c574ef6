"""Dataset versions in S3: files by their hash first, the manifest last, so that a manifest never names a missing file."""

import gzip
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.datasets import download
from streams.datasets.catalogue import Entry
from streams.datasets.manifest import PREFIX, BadManifest, Manifest, of_entries, parse, unpacked_name
from streams.runtime.errors import Missing
from streams.runtime.storage.store import Store


@dataclass(frozen=True)
class StoredDataset:
    """A version in S3."""

    manifest: Manifest
    stored: int
    """Files that were not there before."""


async def keep(name: str, entries: Sequence[Entry], folder: Path, store: Store) -> StoredDataset:
    """Store the dataset of these entries in S3, from the data directory.

    Existing files are left as they are. Raises DataError and StoreUnavailable.
    """
    manifest = of_entries(name, entries)
    existing = set(await store.list(f"{PREFIX}/objects/"))
    by_name = {unpacked_name(entry): entry for entry in entries}
    stored = 0
    for file in manifest.files:
        if file.key in existing:
            continue
        entry = by_name[file.name]
        path = download.local(entry, folder)
        content = gzip.decompress(path.read_bytes()) if entry.unpacked else path.read_bytes()
        stored += await store.create(file.key, content)
    await store.write(manifest.key, manifest.to_json().encode(), "application/json")
    return StoredDataset(manifest, stored)


async def versions(store: Store, names: Iterable[str] = ()) -> tuple[Manifest, ...]:
    """List the versions in S3 of these datasets (none named: of all), sorted by name. Raises BadManifest, StoreUnavailable."""
    prefixes = [f"{PREFIX}/{name}/" for name in names] or [f"{PREFIX}/"]
    keys = {key for prefix in prefixes for key in await store.list(prefix) if key.endswith(".json")}
    return tuple([parse((await store.read(key)).decode(), key) for key in sorted(keys)])


async def version(label: str, store: Store) -> Manifest:
    """Read a version by its label: `mnist@` and at least twelve digits of its hash. Raises Missing, BadManifest, StoreUnavailable."""
    name, _, digits = label.partition("@")
    keys = [key for key in await store.list(f"{PREFIX}/{name}/") if key.startswith(f"{PREFIX}/{name}/{digits}")]
    if len(digits) < 12 or len(keys) != 1:
        raise Missing(f"there is no dataset version {label}; `millrace data versions {name}` lists them")
    return parse((await store.read(keys[0])).decode(), keys[0])


async def content(manifest: Manifest, name: str, store: Store) -> bytes:
    """Read one file of a version. Raises Missing for a file that it does not have, BadManifest when the hash differs."""
    files = {file.name: file for file in manifest.files}
    if name not in files:
        raise Missing(f"{manifest.label} has no file {name}; it has {', '.join(files)}")
    data = await store.read(files[name].key)
    if hashlib.sha256(data).hexdigest() != files[name].sha256:
        raise BadManifest(f"{manifest.label}: {files[name].key} holds other bytes than its name says")
    return data
