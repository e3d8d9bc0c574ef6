"""The parts' logs: one file each, cut when it grows."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

_MARK = "--- started"
LIMIT_BYTES = 16 << 20


def path(home: Path, part: str) -> Path:
    """The log of a part; its folder exists."""
    folder = home / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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


def mark(log: Path) -> None:
    """Write a line that says that a new run of the part begins."""
    with log.open("a") as file:
        file.write(f"{_MARK} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")


def since_start(log: Path) -> list[str]:
    """The lines since the part was last started, as far as the last 64 KiB reach."""
    lines = tail(log, lines=1_000_000, reach=64 << 10).splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(_MARK)]
    return lines[starts[-1] + 1 :] if starts else lines


def tail(log: Path, lines: int = 15, reach: int = 16 << 10) -> str:
    """The last lines of a log, from its last `reach` bytes."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - reach))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
