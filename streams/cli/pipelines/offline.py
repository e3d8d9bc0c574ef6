"""Shared by commands that need no server: contracts, libraries of pipelines, and their problems.

It takes a moment to import: commands do so when they run, so that their help comes at once.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from schemas.contracts import Contract, load_contracts
from schemas.errors import BadContract
from streams.cli.exits import Exit, Failed
from streams.cli.output import counted, problems
from streams.compile import library
from streams.language.definition.parse import suggest


def contracts() -> Mapping[str, Contract]:
    """Load the checked-in contracts. Raises Failed if they are invalid."""
    try:
        return load_contracts()
    except BadContract as error:
        raise Failed(Exit.REFUSED, f"{error}; `millrace schemas` writes the contracts again") from error


def is_file(word: str) -> bool:
    """Return whether an argument is a file or a folder rather than a pipeline's name."""
    return "/" in word or word.endswith((".yaml", ".yml", ".json")) or Path(word).is_dir()


def select(words: Iterable[str], known: Mapping[str, Contract]) -> tuple[library.Library, list[str] | None]:
    """Load the library with these files, and select the names of the words; None selects all.

    Raises Failed if a file has problems or a name is unknown.
    """
    words = list(words)
    loaded = library.load(known, [Path(word) for word in words if is_file(word)])
    if loaded.problems:
        problems(loaded.problems)
        raise Failed(Exit.REFUSED, counted(len(loaded.problems)))
    names = [word for word in words if not is_file(word)]
    for name in names:
        if name not in loaded.specs:
            raise Failed(Exit.UNKNOWN, f"there is no pipeline or service {name!r}; {suggest(name, loaded.specs)}")
    return loaded, sorted({*names, *loaded.named(library.Origin.FILE)}) if words else None


def compiled(
    loaded: library.Library, known: Mapping[str, Contract], names: list[str] | None = None
) -> library.Compiled:
    """Compile the topologies of these names, or of all. Raises Failed after printing every problem."""
    result = library.compile_all(loaded, known, names)
    if result.problems:
        problems(result.problems)
        raise Failed(Exit.REFUSED, counted(len(result.problems)))
    return result
