"""Writes the contract of every service to `schemas/avro/services`, or says which files are out of step.

python -m agents.contracts [--check] [--folder FOLDER]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import schemas
from agents.discovery import load, registry
from schemas.contracts import Contract, render_contract, write_contract

FOLDER = Path(schemas.__file__).parent / "avro" / "services"


def contracts() -> tuple[Contract, ...]:
    """Return the contract of every service, sorted by name. Imports all services."""
    return tuple(load(name).contract for name in registry())


def stale(folder: Path = FOLDER) -> list[str]:
    """List files in `folder` that are missing, differ from their service, or belong to none; sorted."""
    wanted: dict[str, str] = {}
    for contract in contracts():
        rendered, answered = render_contract(contract)
        wanted[f"{contract.name}.input.avsc"] = rendered
        wanted[f"{contract.name}.output.avsc"] = answered
    present = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.avsc")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def write(folder: Path = FOLDER) -> list[str]:
    """Update `folder`, and return the names of files that were written or deleted."""
    changed = stale(folder)
    for contract in contracts():
        write_contract(folder, contract)
    wanted = {f"{name}.{side}.avsc" for name in registry() for side in ("input", "output")}
    for file in folder.glob("*.avsc"):
        if file.name not in wanted:
            file.unlink()
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 if `--check` finds files that are out of date."""
    parser = argparse.ArgumentParser(prog="python -m agents.contracts", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a file is out of step")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files are (default: %(default)s)")
    options = parser.parse_args(arguments)
    names = stale(options.folder) if options.check else write(options.folder)
    for name in names:
        sys.stdout.write(f"{'out of step' if options.check else 'written'}: {name}\n")
    return 1 if options.check and names else 0


if __name__ == "__main__":
    sys.exit(main())
