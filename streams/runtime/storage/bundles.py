"""Bundles on this machine: fetched from S3, checked against their hashes, and removed when no process uses them.

A process that uses a bundle holds a shared lock on its folder, which ends with the process, however that ends.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
import uuid
from dataclasses import replace
from pathlib import Path

from streams.models import BadBundle, Bundle, Champion, check
from streams.models.bundle import CARD, is_version, parse
from streams.runtime.errors import Missing
from streams.runtime.storage.store import Store

_STALE = 3600.0
"""Seconds after which a download that is not in place counts as interrupted."""


class HeldBundle:
    """A bundle in a folder of this machine that stays there until it is released, or the process ends."""

    def __init__(self, bundle: Bundle, descriptor: int) -> None:
        self.bundle = bundle
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the bundle. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def moved(self, folder: Path) -> "HeldBundle":
        """Return the bundle in its renamed folder; the hold passes to it."""
        descriptor, self._descriptor = self._descriptor, -1
        return HeldBundle(replace(self.bundle, folder=folder), descriptor)

    def __del__(self) -> None:
        self.release()


async def fetch(store: Store, champion: Champion, folder: Path) -> HeldBundle:
    """Fetch the champion's bundle from S3 to `folder/<slot>/<version>`, unless it is there already, and hold it.

    Several processes may fetch it at once: it is there whole or not at all. Waits while S3 is unavailable. Raises BadBundle,
    which names what is missing or differs.
    """
    if not is_version(champion.version):
        raise BadBundle(f"{champion.slot}: {champion.version!r} is not a valid version of a bundle")
    place = folder / champion.slot / champion.version
    with contextlib.suppress(BadBundle):  # not there yet, or damaged
        return await asyncio.to_thread(_hold, place)
    fresh = place.parent / f".{champion.version}.{uuid.uuid4().hex[:8]}"
    fresh.mkdir(parents=True)
    try:
        await _download(store, champion, fresh)
        return await asyncio.to_thread(_put_in_place, fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def tidy(folder: Path) -> int:
    """Remove the versions in a slot's folder that no process holds, and interrupted downloads. Returns how many versions."""
    removed = 0
    for entry in list(folder.glob("*")):
        if is_version(entry.name):
            removed += _remove(entry)
        elif _is_stale(entry):
            shutil.rmtree(entry, ignore_errors=True)
    return removed


def _remove(place: Path) -> bool:
    """Remove a version that no process holds. Returns whether it did.

    The folder is renamed first, so that a process that locks it from then on sees that it is gone.
    """
    renamed = place.parent / f".{place.name}.{uuid.uuid4().hex[:8]}"
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            place.rename(renamed)
        finally:
            os.close(descriptor)
    except OSError:  # held, or removed already
        return False
    shutil.rmtree(renamed, ignore_errors=True)
    return True


def _is_stale(entry: Path) -> bool:
    try:
        return entry.name.startswith(".") and entry.stat().st_mtime < time.time() - _STALE
    except OSError:
        return False


def _hold(place: Path) -> HeldBundle:
    """Hold the bundle in a folder. Raises BadBundle when it is missing or damaged."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BadBundle(f"{place}: cannot be opened ({error.strerror})") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        bundle = check(place)
        if not os.path.samestat(os.fstat(descriptor), place.stat()):
            raise BadBundle(f"{place}: was replaced meanwhile")
    except BaseException:
        os.close(descriptor)
        raise
    return HeldBundle(bundle, descriptor)


async def _download(store: Store, champion: Champion, folder: Path) -> None:
    where = f"{store.bucket}/{champion.bundle}"
    try:
        card = await store.read(f"{champion.bundle}/{CARD}")
        manifest = parse(card, where)
        if manifest["version"] != champion.version:
            raise BadBundle(f"{where}: it holds version {manifest['version']}, and {champion.version} is wanted")
        (folder / CARD).write_bytes(card)
        for name in manifest["files"]:
            (folder / name).write_bytes(await store.read(f"{champion.bundle}/{name}"))
    except Missing as error:
        raise BadBundle(f"{where}: {error}") from error


def _put_in_place(fresh: Path, place: Path) -> HeldBundle:
    """Move the bundle of `fresh` to its place, or hold the one that another process put there. Raises BadBundle, OSError."""
    held = _hold(fresh)  # before the rename: otherwise it might be removed in between
    try:
        fresh.rename(place)
    except OSError:  # another process was faster, or the damaged one is still there
        with contextlib.suppress(BadBundle):
            return _hold(place)
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    return held.moved(place)
