"""Fetching bundles from S3 into a folder of this machine, held against their hashes."""

import asyncio
import contextlib
import shutil
import uuid
from pathlib import Path

from streams.models import BadBundle, Bundle, Champion, check
from streams.models.bundle import CARD, is_version, parse
from streams.runtime.errors import Missing
from streams.runtime.store import Store


async def fetch(store: Store, champion: Champion, folder: Path) -> Bundle:
    """The champion's bundle under `folder/<slot>/<version>`, from S3 unless it is there already.

    It is there whole or not at all, whoever else fetches it. Raises BadBundle, which names what is missing or another than
    it should be; waits while S3 is away.
    """
    if not is_version(champion.version):
        raise BadBundle(f"{champion.slot}: {champion.version!r} is no version of a bundle")
    place = folder / champion.slot / champion.version
    with contextlib.suppress(BadBundle):  # nothing yet, or broken since
        return await asyncio.to_thread(check, place)
    fresh = place.parent / f".{champion.version}.{uuid.uuid4().hex[:8]}"
    fresh.mkdir(parents=True)
    try:
        await _download(store, champion, fresh)
        await asyncio.to_thread(check, fresh)
        await asyncio.to_thread(_put_in_place, fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return await asyncio.to_thread(check, place)


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


def _put_in_place(fresh: Path, place: Path) -> None:
    try:
        fresh.rename(place)
    except OSError:  # something is there: another process was faster, or what was found broken
        with contextlib.suppress(BadBundle):
            check(place)
            return
        shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):
            fresh.rename(place)
