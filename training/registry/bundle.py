"""Writing a bundle (see `streams.models.bundle`): the card of a folder's files."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streams.models.bundle import CARD, version_of


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
