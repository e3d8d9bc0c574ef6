"""`models retrain`: order the models that a file in git describes, if it has changed since the last order."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.cli.client import Gateway, part
from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, emit

File = Annotated[
    Path,
    typer.Argument(
        help="YAML: each service that trains, with its input: `digit-train: {digits: [0, 1, 2], epochs: 8}`.",
        metavar="FILE",
        exists=True,
        dir_okay=False,
    ),
]


def retrain(file: File, output: OutputOption = Output.TEXT) -> None:
    """Order the models that a file describes, if it has changed since the last order. For CI, after each change in git.

    The last order is not repeated, whether its model passed the gate or not, and neither is one that is running.
    """
    from streams.cli.operations import registry
    from streams.datasets.catalogue import catalogue
    from streams.models.version_order import order
    from streams.runtime.models.champions import versions

    wanted = _read(file)
    registered = registry.asked(versions) or []
    data = [(entry.name, entry.sha256) for entry in catalogue()]
    with Gateway() as gateway:
        for service, values in wanted.items():
            text, last = order(service, values), registry.last_order(registered, service)
            if last is not None and last[1] == text:
                row = {"service": service, "run": None, "slot": last[0].slot, "number": last[0].number}
                emit(output, row, f"{service}: as ordered, version {last[0].number} of {last[0].slot}")
                continue
            # The key depends on the state at the order: the same file orders once, and again after another order or after a
            # change of the data.
            key = hashlib.sha256(f"{text} {registry.completed_at(last[0]) if last else 0} {data}".encode()).hexdigest()
            headers = {"idempotency-key": f"retrain-{key[:32]}"}
            run = _ordered(gateway, f"/services/{part(service)}/runs", headers, values)
            emit(output, {"service": service, "run": run}, f"{service}: ordered, run {run}")


def _ordered(gateway: Gateway, path: str, headers: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """Place an order and return its run, also if it is already running."""
    try:
        return str(gateway.call("POST", path, headers=headers, json=values).json()["id"])
    except Failed as failed:
        if failed.problem.get("type") != "urn:millrace:duplicate":
            raise
        return str(failed.problem["id"])


def _read(file: Path) -> dict[str, Mapping[str, Any]]:
    """Read the orders of a file, with all defaults. Raises Failed for invalid ones."""
    import yaml

    from schemas.contracts import load_contracts
    from schemas.errors import Nonconforming
    from schemas.validation.conform import conform

    try:
        text = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # PyYAML raises ValueError for an invalid date
        raise Failed(Exit.REFUSED, f"{file}: {error}") from error
    if not isinstance(text, dict):
        raise Failed(
            Exit.REFUSED, f"{file}: it is no mapping of services to inputs, such as `digit-train: {{digits: [0, 1]}}`"
        )
    known, orders = load_contracts(), {}
    for service, values in text.items():
        if service not in known:
            raise Failed(Exit.REFUSED, f"{file}: there is no service {service}")
        try:
            orders[service] = conform(known[service].input, values)
        except Nonconforming as error:
            raise Failed(Exit.REFUSED, f"{file}: {service}: {error}") from error
    return orders
