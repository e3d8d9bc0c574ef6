"""Public data and model weights, from the data directory or downloaded from where their authors publish them."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO
from uuid import uuid4

import httpx

from streams.datasets.catalogue import Entry, catalogue
from streams.errors import Blame, MillraceError

TIMEOUT = 30.0
"""Seconds without a byte after which a download fails."""


class DataError(MillraceError):
    """Raised when a file of the catalogue is unavailable; the message names it, the reason and what to do."""

    blame = Blame.OPERATOR


@dataclass(frozen=True)
class Fetched:
    """A file in the data directory with the right hash."""

    entry: Entry
    path: Path
    downloaded: bool
    """False if it was there already."""


def select(names: Iterable[str]) -> tuple[Entry, ...]:
    """Select the entries of these names; a folder's name selects everything in it, no name selects all.

    Raises DataError that lists the known names.
    """
    entries = catalogue()
    asked = list(names)
    chosen: dict[str, Entry] = {}
    for name in asked:
        selected = [entry for entry in entries if name == entry.name or entry.name.startswith(f"{name.rstrip('/')}/")]
        if not selected:
            known = ", ".join(sorted({entry.name.split("/")[0] for entry in entries}))
            raise DataError(f"{name}: not in the data catalogue; name a file of it or one of its folders: {known}")
        chosen.update((entry.name, entry) for entry in selected)
    return tuple(chosen.values()) if asked else entries


def find(entry: Entry, folder: Path) -> Path | None:
    """Return the file in the data directory; None if it is missing or does not match the catalogue."""
    path = folder / entry.name
    try:
        stat = path.stat()
    except OSError:
        return None
    if _sha256(path, stat.st_size, stat.st_mtime_ns) == entry.sha256:
        return path
    same = entry.unpacked and _unpacked(path, stat.st_size, stat.st_mtime_ns) == entry.unpacked
    return path if same else None


def local(entry: Entry, folder: Path) -> Path:
    """Return the file of an entry without downloading it. Raises DataError that says how to fetch it.

    The error says so if a file of that name has different content.
    """
    path = find(entry, folder)
    if path is None:
        _refuse_other_content(entry, folder)
        raise DataError(
            f"{entry.name}: not in the data directory {folder}; `millrace data fetch {entry.name}` brings it, or set MILLRACE_DATA "
            "to where it is"
        )
    return path


def fetch(entry: Entry, folder: Path) -> Fetched:
    """Return the file of an entry, downloading it atomically and checking its hash if it is missing.

    A file with different content is never overwritten. Raises DataError.
    """
    path = folder / entry.name
    if find(entry, folder) is not None:
        return Fetched(entry, path, downloaded=False)
    _refuse_other_content(entry, folder)
    if not entry.url:
        raise DataError(f"{entry.name}: not published in this form; {entry.made_from}; put it at {path}")
    with _whole(path) as file:
        _download(entry, entry.url, file)
    return Fetched(entry, path, downloaded=True)


def _refuse_other_content(entry: Entry, folder: Path) -> None:
    path = folder / entry.name
    if path.exists():
        raise DataError(f"{path}: its SHA-256 is not the catalogue's {entry.sha256}; remove it to fetch it again")


def _download(entry: Entry, url: str, file: IO[bytes]) -> None:
    hashed = hashlib.sha256()
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            for chunk in _limited(entry, url, response.iter_bytes()):
                hashed.update(chunk)
                file.write(chunk)
    except httpx.HTTPStatusError as error:
        status = f"{error.response.status_code} {error.response.reason_phrase}"
        raise DataError(f"{entry.name}: {url} answers {status}") from error
    except httpx.HTTPError as error:
        raise DataError(
            f"{entry.name}: {url} cannot be reached ({error or type(error).__name__}); "
            "without internet, put the file into the data directory (MILLRACE_DATA) by other means"
        ) from error
    if hashed.hexdigest() != entry.sha256:
        raise DataError(
            f"{entry.name}: what {url} sends has the SHA-256 {hashed.hexdigest()}, not the catalogue's {entry.sha256}; "
            "nothing was kept"
        )


def _limited(entry: Entry, url: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks of an entry. Raises DataError once they exceed the size in the catalogue."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > entry.size:
            raise DataError(f"{entry.name}: {url} sends more than the {entry.size:,} bytes of the catalogue")
        yield chunk


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside `path` that replaces it when the block succeeds, and is deleted when it fails."""
    part = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error}); choose another data directory (MILLRACE_DATA)"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, changed: int) -> str:  # noqa: ARG001  # part of the key: a changed file is read again
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=64)
def _unpacked(path: Path, size: int, changed: int) -> str:  # noqa: ARG001  # as above
    """Return the SHA-256 of a gzip file's content; empty if it is not a gzip file."""
    try:
        with gzip.open(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error):
        return ""
