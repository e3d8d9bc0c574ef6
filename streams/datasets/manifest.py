"""Dataset versions: a manifest of files by the hash of their content, whose own hash is the version. No S3 here."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from streams.datasets.catalogue import Entry
from streams.datasets.download import select
from streams.errors import Blame, MillraceError

PREFIX = "datasets"
"""Where they lie in the bucket; no sweeper of runs goes there."""


class BadManifest(MillraceError):
    """A manifest is not what its version says; the message names it and what is wrong."""

    blame = Blame.OPERATOR


@dataclass(frozen=True, order=True)
class DatasetFile:
    """One file of a dataset, unpacked where it is published packed: how it was packed is no part of the version."""

    name: str
    """Its path in the data directory, without `.gz`."""
    sha256: str
    """Of its content."""
    licence: str
    source: str
    """Its URL, or how it is made."""

    @property
    def key(self) -> str:
        """Where its content lies in the bucket; a file that versions share lies there once."""
        return object_key(self.sha256)


@dataclass(frozen=True)
class Manifest:
    """A version of a dataset."""

    name: str
    files: tuple[DatasetFile, ...]
    """Sorted by name."""

    @property
    def version(self) -> str:
        """64 hexadecimal digits: the SHA-256 of names and contents. Licences and sources may be put right."""
        text = json.dumps([self.name, *([file.name, file.sha256] for file in self.files)], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def label(self) -> str:
        """What models and people call it: `mnist@` and the first twelve digits."""
        return f"{self.name}@{self.version[:12]}"

    @property
    def key(self) -> str:
        """Where the manifest lies in the bucket."""
        return f"{PREFIX}/{self.name}/{self.version}.json"

    def to_json(self) -> str:
        """Text that `parse` reads."""
        body = {"name": self.name, "version": self.version, "files": [asdict(file) for file in self.files]}
        return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def object_key(sha256: str) -> str:
    """Where a content lies in the bucket."""
    return f"{PREFIX}/objects/{sha256}"


def manifest(name: str, files: Iterable[DatasetFile]) -> Manifest:
    """The version of a dataset that has these files, in whatever order they come. Raises BadManifest for none."""
    ordered = tuple(sorted(files))
    if not ordered:
        raise BadManifest(f"{name}: a dataset has at least one file")
    return Manifest(name, ordered)


def of_catalogue(name: str) -> Manifest:
    """The version that the data catalogue's folder of this name stands for. Raises DataError for an unknown name."""
    return of_entries(name, select([name]))


def of_entries(name: str, entries: Iterable[Entry]) -> Manifest:
    """The version of a dataset that has these files of a catalogue. Raises BadManifest for none."""
    return manifest(name, map(_file, entries))


def unpacked_name(entry: Entry) -> str:
    """The name of a catalogue's file in a dataset."""
    return entry.name.removesuffix(".gz") if entry.unpacked else entry.name


def parse(text: str, where: str) -> Manifest:
    """The manifest of this text. Raises BadManifest when it cannot be read, or is not the version that it says."""
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
