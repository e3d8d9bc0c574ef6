"""Bundles on this machine: fetched from S3, held against their hashes, and taken away when nobody uses them any more.

Who uses one holds a shared lock on its folder, which ends with its process, however that ends. What nobody holds may go.
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

_LEFT = 3600.0
"""Seconds after which a download that is not in place is one that was cut off."""


class HeldBundle:
    """A bundle in a folder of this machine that stays there until it is released, or the process ends."""

    def __init__(self, bundle: Bundle, descriptor: int) -> None:
        self.bundle = bundle
        self._descriptor = descriptor

    def release(self) -> None:
        """Lets it go; again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def moved(self, folder: Path) -> "HeldBundle":
        """The same, whose folder has another name now; in the place of this one."""
        descriptor, self._descriptor = self._descriptor, -1
        return HeldBundle(replace(self.bundle, folder=folder), descriptor)

    def __del__(self) -> None:
        self.release()


async def fetch(store: Store, champion: Champion, folder: Path) -> HeldBundle:
    """The champion's bundle under `folder/<slot>/<version>`, from S3 unless it is there already.

    It is there whole or not at all, whoever else fetches it. Raises BadBundle, which names what is missing or another than
    it should be; waits while S3 is away.
    """
    if not is_version(champion.version):
        raise BadBundle(f"{champion.slot}: {champion.version!r} is no version of a bundle")
    place = folder / champion.slot / champion.version
    with contextlib.suppress(BadBundle):  # nothing yet, or broken since
        return await asyncio.to_thread(_hold, place)
    fresh = place.parent / f".{champion.version}.{uuid.uuid4().hex[:8]}"
    fresh.mkdir(parents=True)
    try:
        await _download(store, champion, fresh)
        return await asyncio.to_thread(_put_in_place, fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def tidy(folder: Path) -> int:
    """Removes the versions in a slot's folder that nobody holds, and what was left of downloads; how many versions went."""
    gone = 0
    for one in list(folder.glob("*")):
        if is_version(one.name):
            gone += _removed(one)
        elif _is_left(one):
            shutil.rmtree(one, ignore_errors=True)
    return gone


def _removed(place: Path) -> bool:
    """Whether a version is removed. It gets another name first: who holds it from then on sees that it is not there."""
    away = place.parent / f".{place.name}.{uuid.uuid4().hex[:8]}"
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            place.rename(away)
        finally:
            os.close(descriptor)
    except OSError:  # held, or gone already
        return False
    shutil.rmtree(away, ignore_errors=True)
    return True


def _is_left(one: Path) -> bool:
    try:
        return one.name.startswith(".") and one.stat().st_mtime < time.time() - _LEFT
    except OSError:
        return False


def _hold(place: Path) -> HeldBundle:
    """The bundle in a folder, held. Raises BadBundle when it is not there, or not whole."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BadBundle(f"{place}: cannot be opened ({error.strerror})") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        found = check(place)
        if not os.path.samestat(os.fstat(descriptor), place.stat()):
            raise BadBundle(f"{place}: was replaced meanwhile")
    except BaseException:
        os.close(descriptor)
        raise
    return HeldBundle(found, descriptor)


async def _download(store: Store, champion: Champion, folder: Path) -> None:
    where = f"{store.bucket}/{champion.bundle}"
    try:
        card = await store.read(f"{champion.bundle}/{CARD}")
        known = parse(card, where)
        if known["version"] != champion.version:
            raise BadBundle(f"{where}: it holds version {known['version']}, and {champion.version} is wanted")
        (folder / CARD).write_bytes(card)
        for name in known["files"]:
            (folder / name).write_bytes(await store.read(f"{champion.bundle}/{name}"))
    except Missing as error:
        raise BadBundle(f"{where}: {error}") from error


def _put_in_place(fresh: Path, place: Path) -> HeldBundle:
    """The bundle of `fresh` at its place, or the one that somebody else put there. Raises BadBundle, and OSError."""
    held = _hold(fresh)  # before it has its name: nobody takes it away in between
    try:
        fresh.rename(place)
    except OSError:  # something is there: another process was faster, or what was found broken
        with contextlib.suppress(BadBundle):
            return _hold(place)
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    return held.moved(place)
