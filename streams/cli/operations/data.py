"""`data`: public data and model weights from where their authors publish them, and dataset versions in S3."""

from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, counted, emit, emit_list, problems, say
from streams.cli.settings import settings
from streams.datasets.catalogue import Entry

Dataset = Annotated[str, typer.Argument(help="A folder of the data catalogue.", metavar="NAME")]
Service = Annotated[str, typer.Argument(help="A service whose predictions people corrected.", metavar="SERVICE")]
Datasets = Annotated[list[str] | None, typer.Argument(help="Datasets; none means all.", metavar="[NAME…]")]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Files of the data catalogue, or its folders; without any, everything.", metavar="[NAME…]"),
]


def fetch(names: Names = None, output: OutputOption = Output.TEXT) -> None:
    """Download files of the data catalogue into the data directory (MILLRACE_DATA) and check their hashes."""
    from streams.datasets import download

    folder = settings().data
    failures = []
    for entry in _entries(names or []):
        try:
            fetched = download.fetch(entry, folder)
        except download.DataError as error:
            failures.append(error)
            continue
        how = "downloaded" if fetched.downloaded else "there already"
        value = {"name": entry.name, "path": str(fetched.path), "downloaded": fetched.downloaded, "bytes": entry.size}
        emit(output, value, f"{entry.name}  {how}  {fetched.path}")
    if failures:
        problems(failures)
        raise Failed(Exit.REFUSED, f"{counted(len(failures))}; the other files are there")


def keep(name: Dataset, output: OutputOption = Output.TEXT) -> None:
    """Store the data catalogue's version of a dataset in S3, and print its name.

    Files that are in S3 already are not sent again; `millrace data fetch` downloads those that are not in the data directory.
    """
    from streams.cli.operations import datasets
    from streams.runtime.storage.datasets import keep as put

    folder = settings().data
    entries = _entries([name])
    kept = datasets.stored(lambda store: put(name, entries, folder, store))
    text = f"{kept.manifest.label}  {len(kept.manifest.files)} files, {kept.stored} of them new  {kept.manifest.key}"
    emit(output, datasets.document(kept.manifest) | {"new": kept.stored}, text)


def corrections(name: Service, output: OutputOption = Output.TEXT) -> None:
    """Build the version of a service's dataset with people's corrections, store it in S3, and print its name.

    It is the data catalogue's dataset and every current correction, so the same corrections give the same version. Test
    pictures of the dataset, and pictures made from them, are left out.
    """
    import psycopg

    from schemas.contracts import load_contracts
    from streams.cli.operations import datasets
    from streams.datasets.corrections import Extended
    from streams.runtime.storage.corrections import make
    from streams.runtime.storage.store import Store

    contract = load_contracts().get(name)
    if contract is None:
        raise Failed(Exit.UNKNOWN, f"there is no service {name}")
    where = settings()

    async def act(store: Store) -> Extended:
        link = psycopg.AsyncConnection.connect(where.postgres, autocommit=True, connect_timeout=5)
        async with await link as connection:
            return await make(store, connection, contract, where.data)

    extension = datasets.stored(act)
    noun = "correction" if extension.added == 1 else "corrections"
    text = f"{extension.manifest.label}  {extension.base.label} and {extension.added} {noun}"
    emit(
        output,
        datasets.document(extension.manifest)
        | {"base": extension.base.label, "added": extension.added, "left_out": extension.reasons},
        text,
    )
    for reason, count in extension.reasons.items():
        say(f"millrace: {count} left out: {reason}")


def versions(names: Datasets = None, output: OutputOption = Output.TEXT) -> None:
    """List the dataset versions in S3."""
    from streams.cli.operations import datasets
    from streams.runtime.storage.datasets import versions as listed

    manifests = datasets.stored(lambda store: listed(store, names or []))
    documents = (datasets.document(manifest) for manifest in manifests)
    rows = ((manifest.label, str(len(manifest.files)), manifest.version) for manifest in manifests)
    empty = "there are no dataset versions; `millrace data keep mnist` makes one"
    emit_list(output, documents, ("DATASET", "FILES", "VERSION"), rows, empty)


def _entries(names: list[str]) -> tuple[Entry, ...]:
    """Select entries of the data catalogue; no name selects all. Raises Failed for an unknown name."""
    from streams.datasets.download import DataError, select

    try:
        return select(names)
    except DataError as error:
        raise Failed(Exit.UNKNOWN, str(error)) from error
