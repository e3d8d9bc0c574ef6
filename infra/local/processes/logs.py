"""The logs of the parts, one file each, truncated when it grows."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

_MARK = "--- started"
LIMIT_BYTES = 16 << 20


def path(home: Path, part: str) -> Path:
    """Return the path of a part's log, in a folder that exists."""
    folder = home / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{part}.log"


def trim(log: Path, limit: int = LIMIT_BYTES) -> bool:
    """Move a log of more than `limit` bytes to `<log>.1`; return whether it was moved.

    The file is copied and truncated instead of renamed, because the process that appends to it keeps its handle.
    """
    if not log.exists() or log.stat().st_size <= limit:
        return False
    shutil.copyfile(log, log.with_suffix(".log.1"))
    with log.open("r+b") as file:
        file.truncate(0)
    return True


def mark(log: Path) -> None:
    """Write a line that marks a new start of the part."""
    with log.open("a") as file:
        file.write(f"{_MARK} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")


def since_start(log: Path) -> list[str]:
    """Return the lines since the part was last started, within the last 64 KiB."""
    lines = tail(log, lines=1_000_000, reach=64 << 10).splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(_MARK)]
    return lines[starts[-1] + 1 :] if starts else lines


def tail(log: Path, lines: int = 15, reach: int = 16 << 10) -> str:
    """Return the last lines of a log, within its last `reach` bytes; empty if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - reach))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
