"""Dataset versions: a manifest of files by the hash of their content, whose own hash is the version. No S3 here."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from streams.datasets.catalogue import Entry
from streams.datasets.download import select
from streams.errors import Blame, MillraceError

PREFIX = "datasets"
"""Prefix in the bucket, which the sweeper of runs leaves alone."""


class BadManifest(MillraceError):
    """Raised when a manifest does not match its version; the message names both."""

    blame = Blame.OPERATOR


@dataclass(frozen=True, order=True)
class DatasetFile:
    """One file of a dataset, decompressed: how it was compressed is not part of the version."""

    name: str
    """Path in the data directory, without `.gz`."""
    sha256: str
    """SHA-256 of the content."""
    licence: str
    source: str
    """URL, or how the file is derived."""

    @property
    def key(self) -> str:
        """Key of the content in the bucket; versions share files of the same content."""
        return object_key(self.sha256)


@dataclass(frozen=True)
class Manifest:
    """A version of a dataset."""

    name: str
    files: tuple[DatasetFile, ...]
    """Sorted by name."""

    @property
    def version(self) -> str:
        """64 hexadecimal digits: the SHA-256 of names and contents. Corrections of licences and sources do not change it."""
        text = json.dumps([self.name, *([file.name, file.sha256] for file in self.files)], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def label(self) -> str:
        """Short name: `mnist@` and the first twelve digits."""
        return f"{self.name}@{self.version[:12]}"

    @property
    def key(self) -> str:
        """Key of the manifest in the bucket."""
        return f"{PREFIX}/{self.name}/{self.version}.json"

    def to_json(self) -> str:
        """Write text that `parse` reads."""
        body = {"name": self.name, "version": self.version, "files": [asdict(file) for file in self.files]}
        return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def object_key(sha256: str) -> str:
    """Return the key of a content in the bucket."""
    return f"{PREFIX}/objects/{sha256}"


def manifest(name: str, files: Iterable[DatasetFile]) -> Manifest:
    """Build the version of a dataset from its files in any order. Raises BadManifest if there is none."""
    ordered = tuple(sorted(files))
    if not ordered:
        raise BadManifest(f"{name}: a dataset has at least one file")
    return Manifest(name, ordered)


def of_catalogue(name: str) -> Manifest:
    """Build the version of the data catalogue's folder of this name. Raises DataError for an unknown name."""
    return of_entries(name, select([name]))


def of_entries(name: str, entries: Iterable[Entry]) -> Manifest:
    """Build the version of a dataset from entries of a catalogue. Raises BadManifest if there is none."""
    return manifest(name, map(_file, entries))


def unpacked_name(entry: Entry) -> str:
    """Return the name of a catalogue's file in a dataset."""
    return entry.name.removesuffix(".gz") if entry.unpacked else entry.name


def parse(text: str, where: str) -> Manifest:
    """Parse a manifest. Raises BadManifest if it cannot be read, or does not match its version."""
    try:
        body = json.loads(text)
        parsed = manifest(str(body["name"]), (DatasetFile(**file) for file in body["files"]))
        version = body["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadManifest(f"{where}: no manifest of a dataset ({error})") from error
    if parsed.version != version:
        raise BadManifest(f"{where}: says that it is version {version}, and its files make {parsed.version}")
    return parsed


def _file(entry: Entry) -> DatasetFile:
    return DatasetFile(
        unpacked_name(entry), entry.unpacked or entry.sha256, entry.licence, entry.url or entry.made_from
    )
