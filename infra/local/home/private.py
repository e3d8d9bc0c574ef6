"""Keep other users of this machine out of a home: modes of folders and files, and a separate id for root's PostgreSQL."""

import errno
import grp
import os
import pwd
import stat
from pathlib import Path

from infra.local.errors import BadHome

UMASK = 0o077
DYNAMIC = range(61_184, 65_520)
"""Ids that distributions reserve for services without an account."""
_WITH_AN_ACCOUNT = "nobody"


def claim(home: Path) -> None:
    """Create the home for its owner alone, or close an existing one. Raises BadHome for a folder that many users share.

    Under root other users may pass through it without listing it, because PostgreSQL, which refuses root, has its data below.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.stat().st_mode & stat.S_ISVTX:
        raise BadHome(
            home, OSError(errno.EPERM, "every user of this machine may write there; name a folder of your own")
        )
    home.chmod(walked())
    if os.geteuid() == 0:
        for child in home.iterdir():  # created by an older version, which did not close homes
            if not child.is_symlink():
                child.chmod(stat.S_IMODE(child.stat().st_mode) & ~UMASK)


def walked() -> int:
    """Return the mode of a folder on the path to PostgreSQL's data."""
    return 0o711 if os.geteuid() == 0 else 0o700


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Replace a file atomically by one that only its owner may read."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding=encoding) as file:
        file.write(text)
    fresh.replace(path)


def spare_id() -> int:
    """Return an id without an account on this machine, for one process and its files."""
    taken = {account.pw_uid for account in pwd.getpwall()} | {group.gr_gid for group in grp.getgrall()}
    return next(number for number in DYNAMIC if number not in taken)


def account() -> int:
    """Return the id of an account without rights, for programs that look up the name of their user."""
    return pwd.getpwnam(_WITH_AN_ACCOUNT).pw_uid


def give(path: Path, owner: int) -> None:
    """Give a file, or a folder and everything in it, to this id and the group of the same number."""
    for folder, _, files in os.walk(path):
        for name in ("", *files):
            os.chown(Path(folder, name), owner, owner, follow_symlinks=False)
    if not path.is_dir():
        os.chown(path, owner, owner)
