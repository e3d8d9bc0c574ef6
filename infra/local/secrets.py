"""The passwords of a home, made at its first start, readable by their owner only."""

import os
import secrets
from pathlib import Path


class Secrets:
    """Named random secrets, each in its own 0600 file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> str:
        """The secret of this name; made when it does not exist yet."""
        path = self._folder / name
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            return _make(path)


def api_key(home: Path) -> str:
    """The local API key, `<home>/api-key`; made when it does not exist yet."""
    return Secrets(home)["api-key"]


def _make(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    value = secrets.token_urlsafe(24)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(value + "\n")
    return value
