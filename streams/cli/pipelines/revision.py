"""The contracts of services in a git revision or in a folder."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from schemas.contracts import Contract, load_contracts
from schemas.errors import BadContract
from streams.cli.exits import Exit, Failed
from streams.cli.pipelines.offline import contracts as installed_contracts

SERVICES = "schemas/avro/services"
"""Folder of the checked-in contracts, below the root of a repository."""


def at(revision: str) -> Mapping[str, Contract]:
    """Load the contracts of a folder (of contracts, or of a whole tree) or a git revision. Raises Failed if there are none."""
    folder = Path(revision)
    if folder.is_dir():
        return _load(folder / SERVICES if (folder / SERVICES).is_dir() else folder, revision)
    if revision.startswith("-"):
        raise Failed(Exit.USAGE, f"{revision!r} is no revision")
    data = _git("archive", "--format=tar", revision, "--", SERVICES, wrong=f"no contracts at {revision!r}")
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(scratch, filter="data")
        return _load(Path(scratch) / SERVICES, revision)


def here() -> Mapping[str, Contract]:
    """Load the contracts of the working tree, else those of the installation."""
    try:
        root = Path(_git("rev-parse", "--show-toplevel", wrong="").decode().strip())
    except Failed:
        return installed_contracts()
    return _load(root / SERVICES, str(root)) if (root / SERVICES).is_dir() else installed_contracts()


def _git(*arguments: str, wrong: str) -> bytes:
    """Run git at the root of the tree and return its output. Raises Failed."""
    try:
        top = subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, check=True)
        root = top.stdout.decode().strip()
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise Failed(Exit.USAGE, f"{wrong}: git is not installed; name a folder instead") from None
    except subprocess.CalledProcessError as error:
        reasons = error.stderr.decode(errors="replace").strip().splitlines()
        raise Failed(
            Exit.UNKNOWN, f"{wrong}: {reasons[-1] if reasons else 'git failed'}; name a revision or a folder"
        ) from None


def _load(folder: Path, what: str) -> Mapping[str, Contract]:
    try:
        contracts = load_contracts(folder)
    except BadContract as error:
        raise Failed(Exit.REFUSED, f"{what}: {error}") from error
    if not contracts:
        raise Failed(Exit.UNKNOWN, f"{what}: there are no contracts (*.input.avsc) in it")
    return contracts
