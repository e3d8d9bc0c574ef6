"""`delete`: take a pipeline out of use, whether it came from a file or over HTTP."""

import asyncio
from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, emit
from streams.cli.settings import settings
from streams.settings import Settings

Name = Annotated[str, typer.Argument(help="The pipeline.", metavar="NAME")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def delete(name: Name, yes: Yes = False, output: OutputOption = Output.TEXT) -> None:
    """Take a pipeline out of use. Active runs continue, and its topics stay; `millrace apply` of its file restores it."""
    asyncio.run(_delete(settings(), name, yes=yes))
    emit(output, {"pipeline": name, "deleted": True}, f"{name} is deleted")


async def _delete(to: Settings, name: str, *, yes: bool) -> None:
    from streams.runtime.catalogue.apply import connected
    from streams.runtime.catalogue.pipelines import Pipelines
    from streams.runtime.catalogue.version import Conflict
    from streams.runtime.catalogue.writer import CatalogueWriter
    from streams.runtime.errors import Unavailable

    try:
        async with connected(to, "millrace-cli") as connections:
            catalogue = Pipelines(connections)
            await catalogue.start()
            try:
                version = catalogue.version(name)
                if version is None:
                    raise Failed(
                        Exit.UNKNOWN, f"there is no pipeline {name}; `millrace pipelines` lists those there are"
                    )
                await _confirm(name, yes=yes)
                # The version may change while a person thinks: only the one that was shown is removed.
                await CatalogueWriter(connections, catalogue).remove(name, version.etag)
            finally:
                await catalogue.stop()
    except (Conflict, KeyError):
        raise Failed(Exit.REFUSED, f"{name} was changed meanwhile; look at it again") from None
    except Unavailable as error:
        raise Failed(Exit.UNAVAILABLE, f"{error}; start the system with `make run`") from error


async def _confirm(name: str, *, yes: bool) -> None:
    """Ask before deleting, unless `yes`. Raises Failed when the answer is no."""
    if not (yes or await asyncio.to_thread(typer.confirm, f"Take {name} out of use?", err=True)):
        raise Failed(Exit.REFUSED, "nothing was changed")
