"""The parts' logs: one file each, cut when it grows."""

import shutil
from pathlib import Path

LIMIT_BYTES = 16 << 20


def path(home: Path, part: str) -> Path:
    """The log of a part; its folder exists."""
    folder = home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{part}.log"


def trim(log: Path, limit: int = LIMIT_BYTES) -> bool:
    """Move a log past `limit` bytes to `<log>.1` and begin anew; whether it was done.

    The file is copied and cut, not renamed: the process that writes it (appending) keeps its handle.
    """
    if not log.exists() or log.stat().st_size <= limit:
        return False
    shutil.copyfile(log, log.with_suffix(".log.1"))
    with log.open("r+b") as file:
        file.truncate(0)
    return True


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
