"""The library: shipped pipelines, those of services, and files of one's own."""

from pathlib import Path

import pytest

from streams.compile.library import Origin, compile_all, files, load
from tests.unit.streams.render.example import CONTRACTS

OWN = """
pipeline: own
input: {photo: image}
nodes:
  blur: {pipeline: face-blur, with: {photo: "${photo}"}}
  small: {service: image-resize, with: {image: "${blur.image}", width: 10}}
output: {image: "${small.image}"}
"""


def test_everything_that_is_shipped_compiles() -> None:
    """Shipped pipelines and those of every service compile against the checked-in contracts."""
    library = load(CONTRACTS)
    assert library.named(Origin.SHIPPED) == (
        "blur-women",
        "classify-cell",
        "describe-faces",
        "face-blur",
        "face-thumbnail",
        "to-jpg",
    )
    assert library.named(Origin.SERVICE) == tuple(sorted(CONTRACTS))
    compiled = compile_all(library, CONTRACTS)
    assert not compiled.problems
    assert list(compiled.topologies) == sorted(library.specs)
    assert all(topology.summary for topology in compiled.topologies.values())


def test_files_join_the_library(tmp_path: Path) -> None:
    """A file of one's own may use what is shipped; a folder means every pipeline file in it, and below it."""
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "own.yaml").write_text(OWN)
    (tmp_path / "notes.txt").write_text("no pipeline")
    library = load(CONTRACTS, [tmp_path])
    assert library.named(Origin.FILE) == ("own",)
    assert set(compile_all(library, CONTRACTS, ["own"]).topologies["own"].services) == {
        "face-detect",
        "image-blur",
        "image-resize",
    }


def test_a_file_takes_the_place_of_a_shipped_pipeline(tmp_path: Path) -> None:
    """A shipped pipeline may be changed by a file of the same name."""
    (tmp_path / "a.yaml").write_text(OWN.replace("pipeline: own", "pipeline: to-jpg"))
    library = load(CONTRACTS, [tmp_path / "a.yaml"])
    assert not library.problems
    assert library.origins["to-jpg"] is Origin.FILE


@pytest.mark.parametrize("name", ["image-blur", "own"])
def test_a_name_is_taken_once(tmp_path: Path, name: str) -> None:
    """A service's name is the service's, and two files cannot have one name: the second is told where the first is."""
    (tmp_path / "a.yaml").write_text(OWN)
    (tmp_path / "b.yaml").write_text(OWN.replace("pipeline: own", f"pipeline: {name}"))
    (problem,) = load(CONTRACTS, [tmp_path]).problems
    assert problem.file.endswith("b.yaml")
    assert (problem.line, problem.column, problem.where) == (2, 11, "pipeline")
    assert "is taken" in problem.problem


def test_a_pipeline_that_has_no_place_is_checked_too(tmp_path: Path) -> None:
    """A name that is missing or taken does not hide what else is wrong with the file; each problem is said once."""
    (tmp_path / "a.yaml").write_text(OWN.replace("pipeline: own", "").replace("width: 10", "width: ten"))
    (tmp_path / "b.yaml").write_text(OWN.replace("own", "image-blur").replace("width: 10", "width: ten"))
    compiled = compile_all(load(CONTRACTS, [tmp_path]), CONTRACTS)
    said = [(Path(problem.file).name, problem.where) for problem in compiled.problems]
    assert said == [
        ("a.yaml", "pipeline"),
        ("b.yaml", "pipeline"),
        ("a.yaml", "nodes.small.with.width"),
        ("b.yaml", "nodes.small.with.width"),
    ]
    assert compiled.topologies.keys() >= {"image-blur"}


def test_unreadable_files_are_problems(tmp_path: Path) -> None:
    """A file that is missing, no text, or no YAML is reported with its name; the others are still read."""
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "broken.yaml").write_text("pipeline: [")
    (tmp_path / "own.yaml").write_text(OWN)
    library = load(CONTRACTS, [tmp_path / "missing.yaml", tmp_path])
    assert [Path(problem.file).name for problem in library.problems] == ["missing.yaml", "binary.yaml", "broken.yaml"]
    assert "own" in library.specs


def test_files_are_taken_once(tmp_path: Path) -> None:
    """A file that is named and is in a folder too is one file."""
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    assert files([path, tmp_path]) == [path]
