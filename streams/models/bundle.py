"""Bundles: a model as a folder with a card, `card.json`, and the files that it speaks of.

A version is named by the content of its files, so a bundle is never changed: another content is another version. The card may be
written again, with more figures say, and must hold at least

    name, version, dataset, licence, files: {name: SHA-256}, metrics

In S3 a bundle lies under `models/<slot>/<version>/`, file by file.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.errors import Blame, MillraceError

CARD = "card.json"
PREFIX = "models"
"""Where bundles lie in the bucket; no sweeper of runs goes there."""

_VERSION = re.compile(r"[0-9a-f]{12}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_TEXTS = ("name", "version", "dataset", "licence")


class BadBundle(MillraceError):
    """A bundle is not whole, or not what its card says; the message names it and what is wrong."""

    blame = Blame.OPERATOR


@dataclass(frozen=True)
class Bundle:
    """A bundle whose card was read."""

    folder: Path
    card: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the model is called, such as `mnist_model_012`."""
        return str(self.card["name"])

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits, see `version_of`."""
        return str(self.card["version"])

    @property
    def dataset(self) -> str:
        """The dataset version that it learned from: `mnist@` and twelve digits of its manifest's hash."""
        return str(self.card["dataset"])

    @property
    def files(self) -> Mapping[str, str]:
        """The SHA-256 of each file by its name, without the card."""
        files: Mapping[str, str] = self.card["files"]
        return files


def version_of(files: Mapping[str, str]) -> str:
    """Return the version of a bundle with these files, by name with their SHA-256: twelve hexadecimal digits.

    A single file gives it the start of its own hash, several the start of the hash of all names and hashes.
    """
    if len(files) == 1:
        return next(iter(files.values()))[:12]
    text = json.dumps(sorted(files.items()), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def prefix_of(slot: str, version: str) -> str:
    """Return where a bundle's files are in the bucket, without a slash at the end."""
    return f"{PREFIX}/{slot}/{version}"


def parse(card: bytes, where: str) -> dict[str, Any]:
    """Return the card of this text. Raises BadBundle, which begins with `where`, when something is missing or does not fit."""
    try:
        values = json.loads(card)
    except ValueError as error:
        raise BadBundle(f"{where}: its card is no JSON ({error})") from error
    if not isinstance(values, dict):
        raise BadBundle(f"{where}: its card is no JSON object")
    wrong = [name for name in _TEXTS if not isinstance(values.get(name), str) or not values[name]]
    files = values.get("files")
    if not isinstance(files, dict) or not files or not all(map(_is_file, files.items())):
        wrong.append("files")
    if not isinstance(values.get("metrics"), dict):
        wrong.append("metrics")
    if wrong:
        raise BadBundle(f"{where}: its card has no {', no '.join(wrong)} of the form that a card has")
    if values["version"] != version_of(values["files"]):
        raise BadBundle(
            f"{where}: its card says version {values['version']}, and its files make {version_of(values['files'])}"
        )
    return values


def read(folder: Path) -> Bundle:
    """Return the bundle in a folder, by its card alone. Raises BadBundle."""
    try:
        return Bundle(folder, parse((folder / CARD).read_bytes(), str(folder)))
    except OSError as error:
        raise BadBundle(f"{folder}: its card cannot be read ({error.strerror})") from error


def check(folder: Path) -> Bundle:
    """Return the bundle in a folder, with every file checked against its hash. Raises BadBundle."""
    bundle = read(folder)
    for name, wanted in bundle.files.items():
        try:
            have = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise BadBundle(f"{folder}: {name} cannot be read ({error.strerror})") from error
        if have != wanted:
            raise BadBundle(f"{folder}: {name} is not the file of its card {bundle.version}")
    return bundle


def is_version(text: str) -> bool:
    """Return whether this is the form of a version."""
    return _VERSION.fullmatch(text) is not None


def _is_file(entry: tuple[Any, Any]) -> bool:
    """Return whether this is a plain name, which does not lead out of its folder, with a hash."""
    name, sha256 = entry
    return (
        isinstance(name, str)
        and name != CARD
        and _FILE.fullmatch(name) is not None
        and isinstance(sha256, str)
        and _SHA256.fullmatch(sha256) is not None
    )
