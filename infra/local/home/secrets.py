"""The passwords of a home, created at its first start, readable by their owner only."""

import os
import secrets
from pathlib import Path


class Secrets:
    """Named random secrets, each in its own 0600 file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> str:
        """Return the secret of this name, created if it does not exist yet."""
        path = self._folder / name
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            return _make(path)


def api_key(home: Path) -> str:
    """Return the local API key, `<home>/api-key`, created if it does not exist yet."""
    return Secrets(home)["api-key"]


def _make(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(24) + "\n")
    try:
        os.link(fresh, path)  # atomic, and never replaces the secret of another process
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text().strip()
