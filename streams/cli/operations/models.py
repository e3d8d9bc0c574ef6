"""`models`: the versions of each service's model in the registry, and which of them serves."""

from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, emit, emit_list
from streams.models.champion import ALIAS, MODEL

SHIPPED = "shipped"
"""Stands for the bundle that comes with the service, in place of a version."""

Slot = Annotated[str, typer.Argument(help="The service whose model it is.", metavar="SLOT")]
SlotOption = Annotated[str | None, typer.Argument(help="Only this service's.", metavar="[SLOT]")]
VersionOption = Annotated[str | None, typer.Argument(help="Its number or twelve digits; without it, the champion.")]
Version = Annotated[
    str, typer.Argument(help="Its number, its twelve digits, or `shipped` for the one that comes with the service.")
]


def listing(slot: SlotOption = None, output: OutputOption = Output.TEXT) -> None:
    """List the registered versions of models, oldest first; the champion of each slot serves.

    `millrace services SLOT` shows what serves at this moment. A slot without a champion is served by its shipped model.
    """
    from streams.cli.operations import registry
    from streams.runtime.models.champions import versions

    registered = registry.asked(lambda connection: versions(connection, slot)) or []
    documents = (model.document() for model in registered)
    rows = (
        (
            model.slot,
            str(model.number),
            model.version or "-",
            model.tags.get(MODEL, ""),
            registry.registered_at(model),
            ALIAS * model.champion,
        )
        for model in registered
    )
    empty = f"no version of {slot or 'any model'} is registered; the shipped models serve"
    emit_list(output, documents, ("SLOT", "NUMBER", "VERSION", "MODEL", "REGISTERED", ""), rows, empty)


def show(slot: Slot, version: VersionOption = None, output: OutputOption = Output.TEXT) -> None:
    """Show one registered version: its dataset, the verdict of the gate, and every other tag."""
    from streams.cli.operations import registry
    from streams.runtime.models.champions import versions

    matching = [
        model
        for model in registry.asked(lambda connection: versions(connection, slot)) or []
        if (model.champion if version is None else version in (str(model.number), model.version))
    ]
    if not matching:
        what = "champion: its shipped model serves" if version is None else f"version {version} in the registry"
        raise Failed(Exit.UNKNOWN, f"{slot} has no {what}")
    model = matching[-1]
    rows = [("slot", slot), ("number", str(model.number)), ("champion", "yes" if model.champion else "no"),
            ("registered", registry.registered_at(model)), *sorted(model.tags.items())]  # fmt: skip
    emit(output, model.document(), "\n".join(f"{name}: {value}" for name, value in rows))


def use(slot: Slot, version: Version, output: OutputOption = Output.TEXT) -> None:
    """Let another version serve: moves the alias `champion`, as MLflow's page does. Running workers switch within seconds.

    No request is dropped, and each answer names its version. A version that cannot be loaded changes nothing, and
    `millrace services SLOT` says why.
    """
    from streams.cli.operations import registry
    from streams.runtime.models.champions import Connection, NoSuchVersion, RegisteredVersion, demote, promote

    if version == SHIPPED:
        moved = registry.asked(lambda connection: demote(connection, slot))
        text = f"{slot}: the shipped model serves" + (" from now on" if moved else ", as before")
        emit(output, {"slot": slot, "champion": None}, text)
        return

    async def move(connection: Connection) -> RegisteredVersion:
        try:
            return await promote(connection, slot, version)
        except NoSuchVersion as error:
            raise Failed(Exit.UNKNOWN, str(error)) from error

    champion = registry.asked(move)
    if champion is None:
        raise Failed(Exit.REFUSED, "there is no registry of models yet: nothing was trained here")
    text = f"{slot}: {champion.tags.get(MODEL, '')} {champion.version} (number {champion.number}) is the champion"
    emit(output, champion.document() | {"champion": True}, text)
