"""The contracts as they were released, by release number: what a new schema is held against.

`python -m schemas.history` says what the current schemas break; with `--freeze` it keeps them as a release.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from schemas.contracts import META
from schemas.errors import Incompatible
from schemas.library import inline
from schemas.validation import bounds, compat

_FOLDER = "released"


def current(root: Traversable | None = None) -> dict[str, Any]:
    """Return the checked-in schemas by path under `schemas/avro`: `Ref.avsc`, `services/image-blur.input.avsc`."""
    place = _avro() if root is None else root
    return dict(_schemas(place, ""))


def releases(root: Traversable | None = None) -> list[str]:
    """Return the numbers of the releases that are kept, oldest first."""
    place = (_avro() if root is None else root).joinpath(_FOLDER)
    numbers = [folder.name for folder in place.iterdir() if folder.is_dir()] if place.is_dir() else []
    return sorted(numbers, key=lambda number: tuple(int(part) for part in number.split(".")))


def released(number: str, root: Traversable | None = None) -> dict[str, Any]:
    """Return the schemas of a release, by path as in `current`."""
    return dict(_schemas((_avro() if root is None else root).joinpath(_FOLDER, number), ""))


def broken(new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    """Return every reason why records of the `old` schemas cannot be read with the `new` ones, each beginning with its file.

    An input of a service that takes less than before is one too: what others send is refused, though it can be read.
    A schema that is gone is no reason, nor is one of a service whose major version has changed: its topics are others.
    """
    problems = []
    for path, was in old.items():
        now = new.get(path)
        if now is not None and _major(new, path) == _major(old, path):
            reasons = compat.problems(reader=now, writer=was)
            if path.endswith(".input.avsc"):
                reasons += bounds.tightened(now, was)
            problems += [f"{path}: {reason}" for reason in reasons]
    return problems


def freeze(number: str, folder: Path) -> list[Path]:
    """Keep the schemas of `folder` (a `schemas/avro`) as release `number`, each self-contained; replaces an older copy.

    Raises Incompatible when they break the release before.
    """
    new = current(folder)
    before = [release for release in releases(folder) if release != number]
    if before and (reasons := broken(new, released(before[-1], folder))):
        raise Incompatible(f"release {number}", reasons)
    target = folder / _FOLDER / number
    if target.is_dir():
        shutil.rmtree(target)
    paths = []
    for path, schema in new.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(json.dumps(inline(schema), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        paths.append(target / path)
    return paths


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status is 1 when the current schemas break the last release."""
    parser = argparse.ArgumentParser(
        prog="python -m schemas.history", description="Contracts held against their last release."
    )
    parser.add_argument("--freeze", metavar="NUMBER", help="keep the current schemas as this release, such as 0.1.0")
    number = parser.parse_args(arguments).freeze
    kept = releases()
    try:
        if number:
            sys.stdout.write(
                f"{len(freeze(number, Path(__file__).parent / 'avro'))} schemas kept as release {number}\n"
            )
            return 0
        reasons = broken(current(), released(kept[-1])) if kept else []
    except Incompatible as error:
        reasons = error.problems
    report = reasons or [f"compatible with release {kept[-1]}" if kept else "no release is kept yet"]
    sys.stdout.write("\n".join(report) + "\n")
    return 1 if reasons else 0


def _avro() -> Traversable:
    return resources.files("schemas").joinpath("avro")


def _schemas(place: Traversable, prefix: str) -> Iterator[tuple[str, Any]]:
    for file in sorted(place.iterdir(), key=lambda entry: entry.name):
        if file.is_dir() and file.name != _FOLDER:
            yield from _schemas(file, f"{prefix}{file.name}/")
        elif file.name.endswith(".avsc"):
            yield prefix + file.name, json.loads(file.read_text(encoding="utf-8"))


def _major(schemas: dict[str, Any], path: str) -> str:
    """Return the major version of the service that a schema belongs to; empty for records that belong to no service."""
    schema = schemas.get(path.replace(".output.avsc", ".input.avsc"))
    meta = schema.get(META, {}) if isinstance(schema, dict) else {}
    return str(meta.get("version", "")).split(".")[0]


if __name__ == "__main__":
    sys.exit(main())
