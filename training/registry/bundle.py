"""Write the card of a bundle (see `streams.models.bundle`)."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streams.models.bundle import CARD, version_of


def write(folder: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Write the card of a folder's files with their hashes and the version, and return it as written.

    `card` has at least `name`, `dataset`, `licence` and `metrics`. The version depends on the files only, not on the metrics.
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
