"""Writing a bundle: a folder with a card and the files that it speaks of. A version is named by the hash of those files."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CARD = "card.json"


def version_of(files: Mapping[str, str]) -> str:
    """The version of a bundle with these files, by name with their SHA-256: twelve hexadecimal digits.

    A single file gives it the start of its own hash, several the start of the hash of all names and hashes.
    """
    if len(files) == 1:
        return next(iter(files.values()))[:12]
    text = json.dumps(sorted(files.items()), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write(folder: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the card of the files that lie in the folder, with their hashes and the version; the card as it is written.

    `card` has at least `name`, `dataset`, `licence` and `metrics`. Writing it again, with more metrics say, changes no version.
    """
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != CARD
    }
    own = {key: value for key, value in card.items() if key not in ("name", "version", "files")}
    whole = {"name": card["name"], "version": version_of(files), "files": files, **own}
    (folder / CARD).write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return whole
