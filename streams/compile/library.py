"""Load the pipelines of an installation: the shipped ones, one for each service, and those in the user's files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from pathlib import Path

from schemas.contracts import Contract
from streams.compile import automatic, compile_spec
from streams.errors import PipelineErrors, Problem
from streams.language.definition.model import PipelineSpec
from streams.language.definition.parse import parse
from streams.language.source.document import MAX_BYTES
from streams.language.topology import Topology

ENDINGS = (".yaml", ".yml", ".json")
"""Suffixes of pipeline files in a folder."""


class Origin(StrEnum):
    """Where a pipeline comes from."""

    SHIPPED = "shipped"
    SERVICE = "service"  # the automatic pipeline of one node
    FILE = "file"


@dataclass(frozen=True)
class Library:
    """Pipelines by name, and what is wrong with the files that hold them. `specs` is what `compile` takes as its library."""

    specs: Mapping[str, PipelineSpec]
    origins: Mapping[str, Origin]
    problems: tuple[Problem, ...] = ()
    unplaced: tuple[PipelineSpec, ...] = ()
    """Pipelines without a name, or with one that is taken: they are checked, and nothing can refer to them."""

    def named(self, origin: Origin) -> tuple[str, ...]:
        """Return the names of this origin, sorted."""
        return tuple(sorted(name for name, other in self.origins.items() if other is origin))


@dataclass(frozen=True)
class Compiled:
    """Topologies by name, sorted, and every problem of the pipelines that have none."""

    topologies: Mapping[str, Topology] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def shipped() -> dict[str, PipelineSpec]:
    """Return the pipelines under `streams/pipelines`, by name."""
    folder = resources.files("streams").joinpath("pipelines")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(ENDINGS)), key=lambda file: file.name)
    specs = [parse(file.read_text(encoding="utf-8"), f"streams/pipelines/{file.name}") for file in files]
    return {spec.name: spec for spec in specs}


def folder(spec: PipelineSpec, origin: Origin) -> Path | None:
    """Return the folder of the files that a pipeline's tests name; None when it does not come from a file."""
    if origin is Origin.FILE:
        return Path(spec.source.file).parent
    shipped = resources.files("streams").joinpath("pipelines")
    return shipped if origin is Origin.SHIPPED and isinstance(shipped, Path) else None


def automatic_all(contracts: Mapping[str, Contract]) -> dict[str, PipelineSpec]:
    """Return the one-node pipeline of every service, by the service's name."""
    return {name: automatic(contract) for name, contract in sorted(contracts.items())}


def load(contracts: Mapping[str, Contract], paths: Iterable[Path] = ()) -> Library:
    """Load all pipelines: shipped, automatic, and those in these files and folders.

    A file replaces a shipped pipeline of the same name. It may not have the name of a service or of another file.
    """
    specs = {**shipped(), **automatic_all(contracts)}
    origins = {name: Origin.SERVICE if name in contracts else Origin.SHIPPED for name in specs}
    problems: list[Problem] = []
    unplaced: list[PipelineSpec] = []
    for path in files(paths):
        try:
            spec = read(path)
        except PipelineErrors as error:
            problems += error.problems
            continue
        other = specs.get(spec.name)
        if not spec.name:
            problems += spec.problems
            unplaced.append(spec)
            continue
        if other is not None and origins[spec.name] is not Origin.SHIPPED:
            problems.append(_taken(spec, other, origins[spec.name]))
            unplaced.append(spec)
            continue
        specs[spec.name], origins[spec.name] = spec, Origin.FILE
    return Library(specs, origins, tuple(problems), tuple(unplaced))


def files(paths: Iterable[Path]) -> list[Path]:
    """Return the files of these paths, each once; a folder stands for every pipeline file in it and below it."""
    unique: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.suffix in ENDINGS and file.is_file())
            unique.update(dict.fromkeys(inside))
        else:
            unique[path] = None
    return list(unique)


def read(path: Path) -> PipelineSpec:
    """Read the spec of a file. Raises PipelineErrors, also when the file cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise _unreadable(path, f"the file cannot be read: {error.strerror or error}") from None
    return parse(text, str(path))


def compile_all(library: Library, contracts: Mapping[str, Contract], names: Iterable[str] | None = None) -> Compiled:
    """Compile a library, or these names in it; the library's own problems come first."""
    wanted = sorted(library.specs if names is None else names)
    topologies: dict[str, Topology] = {}
    problems = list(library.problems)
    for spec in (*library.unplaced, *(library.specs[name] for name in wanted)):
        try:
            topology = compile_spec(spec, contracts, library.specs)
        except PipelineErrors as error:
            problems += error.problems
            continue
        if library.specs.get(spec.name) is spec:
            topologies[spec.name] = topology
    # An inlined pipeline's problems appear in every pipeline that uses it; report them once.
    return Compiled(topologies, tuple(dict.fromkeys(problems)))


def _taken(spec: PipelineSpec, other: PipelineSpec, origin: Origin) -> Problem:
    whose = "the service of that name has it" if origin is Origin.SERVICE else f"{other.source.file} has it"
    return spec.source.problem(("pipeline",), f"the name {spec.name!r} is taken: {whose}", "choose another")


def _unreadable(path: Path, problem: str) -> PipelineErrors:
    return PipelineErrors([Problem(str(path), 0, 0, "", problem)])
