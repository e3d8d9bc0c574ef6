"""Train a model.

    python -m training                            train every shipped model again, with fixed seeds, in the repository
    python -m training digits                     one of them
    python -m training digits --register --digits 0,1,2 --epochs 3
                                                  another model: it is registered, passes a gate, and serves if it is not worse

Exit status: 0; 1 for a failure, explained on standard error; 2 for an invalid order; 3 if MLflow's database does not answer,
4 if S3 does not. An interrupted training continues from its last epoch when the same order is given again.
"""

import argparse
import hashlib
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from streams.bootstrap import begin
from streams.datasets.download import DataError
from streams.datasets.manifest import of_catalogue
from streams.errors import MillraceError
from streams.runtime.errors import StoreUnavailable
from streams.runtime.pool.child_main import die_with_parent
from streams.settings import SettingError, Settings
from training.evaluation.gate import Leave
from training.machine_lock import turn
from training.part import REPOSITORY, BadOrder, MLflowUnavailable, Order, Part
from training.parts import MEASURED, PARTS
from training.report import Report
from training.sweep import sweep

_MOST = 100
"""Largest number of epochs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the arguments name, and return the exit status."""
    begin()
    parts = dict(PARTS)
    chosen = _parser(parts).parse_args(arguments)
    names = [*parts, *MEASURED]
    unknown = [name for name in chosen.parts if name not in names]
    if unknown:
        return _refused(f"there is no part {', '.join(unknown)}; there are {', '.join(names)}")
    options = {name: value for name, value in vars(chosen).items() if name in _options(parts) and value is not None}
    if (chosen.register or options) and (len(chosen.parts) != 1 or chosen.parts[0] not in parts):
        return _refused(
            f"--register and options of a part need the name of one part that is trained: {', '.join(parts)}"
        )
    _settle(with_parent=chosen.with_parent)
    try:
        settings = Settings.read()
        for name in chosen.parts or names:
            if name in parts:
                _train(parts[name], settings, chosen, options)
            else:
                MEASURED[name](settings.data, chosen.top, Report(name, programs=chosen.report == "json"))
    except BadOrder as error:
        return _refused(str(error))
    except (MLflowUnavailable, StoreUnavailable) as error:
        print(f"millrace: {error}", file=sys.stderr)
        return 3 if isinstance(error, MLflowUnavailable) else 4
    except (DataError, MillraceError, SettingError) as error:
        print(f"millrace: {error}", file=sys.stderr)
        return 1
    return 0


def _train(part: Part, settings: Settings, chosen: argparse.Namespace, options: dict[str, str]) -> None:
    report = Report(part.name, programs=chosen.report == "json")
    unfit = [name for name in options if name not in part.options]
    if unfit:
        raise BadOrder(f"{part.name} takes no --{unfit[0]}")
    if options and not chosen.register:
        raise BadOrder(f"the shipped model has no choice of {', '.join(options)}: add --register to train another one")
    epochs = part.epochs if chosen.epochs is None else chosen.epochs
    if not 1 <= epochs <= _MOST:
        raise BadOrder(f"epochs: {epochs} is not between 1 and {_MOST}")
    part.check(options)
    home = (settings.home / "training").resolve()
    dataset = chosen.dataset or of_catalogue(part.dataset).label
    if dataset.partition("@")[0] != part.dataset:
        raise BadOrder(f"dataset: {dataset} is no version of {part.dataset}, which is what {part.name} learns from")
    key = _digest(part.name, dataset, epochs, options, chosen.register)
    out = (chosen.out or home / "made" / f"{part.name}-{chosen.call or key}").resolve()
    with turn(
        home, f"{part.name} ({', '.join(f'{name} {value}' for name, value in options.items()) or 'as shipped'})", report
    ):
        for leavings in ("calls", "made", "state"):
            sweep(home / leavings)
        order = Order(
            folder=out / "bundle",
            state=home / "state" / f"{part.name}-{key}",
            data=settings.data,
            dataset=dataset,
            epochs=epochs,
            options=options,
            leave=Leave(promote=not chosen.no_promote, fewer=chosen.fewer),
            ship=not chosen.register,
        )
        if not chosen.register:
            from training.ship import ship

            shipped = ship(part, order, chosen.top, report)
            report.end(
                f"{shipped.card['name']} {shipped.card['version']} is written; see {part.page}",
                version=shipped.card["version"],
            )
            return
        from dataclasses import asdict, replace

        from training.registry.objects import Objects  # S3 and MLflow are needed only for registering
        from training.retrain import retrain

        objects = Objects(settings)
        version = objects.dataset(dataset)
        order = replace(order, dataset=version.label, examples=objects.examples(version))
        outcome = retrain(part, settings, order, report, chosen.call, chosen.ordered)
        report.end(outcome.verdict, **asdict(outcome))


def _parser(parts: dict[str, Part]) -> argparse.ArgumentParser:
    lines = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description=lines[0],
        epilog="\n".join(lines[1:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join([*parts, *MEASURED])}; none means all")
    parser.add_argument("--epochs", type=int, help=f"1 to {_MOST} (default: as many as the shipped model had)")
    parser.add_argument("--dataset", metavar="NAME@VERSION", help="what it learns from (default: the data catalogue's)")
    parser.add_argument(
        "--register",
        action="store_true",
        help="register it and let it pass the gate, instead of writing it into the repository",
    )
    parser.add_argument(
        "--report", choices=("text", "json"), default="text", help="json: one object per line, for programs"
    )
    parser.add_argument(
        "--top", type=Path, default=REPOSITORY, help="folder below which a shipped model's files are written"
    )
    parser.add_argument("--out", type=Path, help="folder for bundle, plots and outcome of a registered model")
    parser.add_argument("--call", default="", help="id of this order; repeating it returns the same outcome")
    parser.add_argument("--ordered", default="", help="the order as text, for the registry")
    parser.add_argument("--no-promote", action="store_true", help="only register it: it does not serve if it passes")
    parser.add_argument(
        "--fewer", action="store_true", help="let it serve though it knows fewer classes than the one that serves"
    )
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started this one ends")
    for name, text in _options(parts).items():
        parser.add_argument(f"--{name}", help=text)
    return parser


def _options(parts: dict[str, Part]) -> dict[str, str]:
    return {name: f"{part.name}: {text}" for part in parts.values() for name, text in part.options.items()}


def _settle(*, with_parent: bool) -> None:
    """Set up the process before heavy libraries are imported."""
    if with_parent:
        die_with_parent(os.getppid())
    # The process may inherit a memory limit that is too small for TensorFlow.
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    # SystemExit, so that the run in MLflow is ended.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _refused(reason: str) -> int:
    print(f"millrace: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
