"""Dataset versions in S3: contents by their hash first, the manifest last, so that a manifest never names what is missing."""

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
    """A version that is in S3."""

    manifest: Manifest
    stored: int
    """Contents that were not there before."""


async def keep(name: str, entries: Sequence[Entry], folder: Path, store: Store) -> StoredDataset:
    """Puts the dataset that these entries make into S3, from the data directory.

    What is there already is left as it is. Raises DataError and StoreUnavailable.
    """
    made = of_entries(name, entries)
    there = set(await store.list(f"{PREFIX}/objects/"))
    named = {unpacked_name(entry): entry for entry in entries}
    stored = 0
    for file in made.files:
        if file.key in there:
            continue
        entry = named[file.name]
        path = download.local(entry, folder)
        content = gzip.decompress(path.read_bytes()) if entry.unpacked else path.read_bytes()
        stored += await store.create(file.key, content)
    await store.write(made.key, made.to_json().encode(), "application/json")
    return StoredDataset(made, stored)


async def versions(store: Store, names: Iterable[str] = ()) -> tuple[Manifest, ...]:
    """The versions in S3, of these datasets or of all, sorted by name. Raises BadManifest and StoreUnavailable."""
    prefixes = [f"{PREFIX}/{name}/" for name in names] or [f"{PREFIX}/"]
    keys = {key for prefix in prefixes for key in await store.list(prefix) if key.endswith(".json")}
    return tuple([parse((await store.read(key)).decode(), key) for key in sorted(keys)])


async def version(label: str, store: Store) -> Manifest:
    """The version that is called so: `mnist@` and at least twelve digits of its hash. Raises Missing, BadManifest, StoreUnavailable."""
    name, _, digits = label.partition("@")
    found = [key for key in await store.list(f"{PREFIX}/{name}/") if key.startswith(f"{PREFIX}/{name}/{digits}")]
    if len(digits) < 12 or len(found) != 1:
        raise Missing(f"there is no dataset version {label}; `millrace data versions {name}` lists them")
    return parse((await store.read(found[0])).decode(), found[0])


async def content(manifest: Manifest, name: str, store: Store) -> bytes:
    """The content of one file of a version. Raises Missing for a file it does not have, BadManifest for other bytes."""
    files = {one.name: one for one in manifest.files}
    if name not in files:
        raise Missing(f"{manifest.label} has no file {name}; it has {', '.join(files)}")
    found = await store.read(files[name].key)
    if hashlib.sha256(found).hexdigest() != files[name].sha256:
        raise BadManifest(f"{manifest.label}: {files[name].key} holds other bytes than its name says")
    return found
