"""`python -m training PART`: makes the files of a shipped model anew, from the data, with fixed seeds."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from streams.data import DataError
from streams.settings import Settings

TOP = Path(__file__).parent.parent


def _digits(settings: Settings, top: Path, epochs: int | None) -> None:
    from training.digits.run import run  # TensorFlow takes its time; not for --help

    run(settings.data, settings.home / "training" / "digits", top, epochs or 16, lambda text: print(text, flush=True))


def _faces(settings: Settings, top: Path, epochs: int | None) -> None:  # noqa: ARG001  # nothing is trained
    from training.faces.run import run

    run(settings.data, top, lambda text: print(text, flush=True))


PARTS: Mapping[str, Callable[[Settings, Path, int | None], None]] = {"digits": _digits, "faces": _faces}
"""A model that joins is one more line, and a folder of its own."""


def main() -> int:
    """Trains the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; none means all")
    parser.add_argument("--epochs", type=int, help="instead of as many as the shipped models had, to try something")
    parser.add_argument("--top", type=Path, default=TOP, help="below what folder the files are written")
    given = parser.parse_args()
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        for part in given.parts or PARTS:
            PARTS[part](Settings.read(), given.top, given.epochs)
    except DataError as error:
        print(f"millrace: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
