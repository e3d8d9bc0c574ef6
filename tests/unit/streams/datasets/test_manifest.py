"""A dataset version is the hash of what is in it, and of nothing else."""

from dataclasses import replace

import pytest

from streams.datasets.download import DataError
from streams.datasets.manifest import BadManifest, DatasetFile, manifest, of_catalogue, parse

ONE = DatasetFile("letters/a.png", "a" * 64, "CC0", "https://example.org/a.png")
TWO = DatasetFile("letters/b.png", "b" * 64, "CC0", "https://example.org/b.png")


def test_the_version_is_that_of_the_content() -> None:
    """Neither the order of files nor what is said about them changes a version; a content, a name or a file does."""
    made = manifest("letters", [ONE, TWO])
    assert manifest("letters", [TWO, ONE]) == made
    assert manifest("letters", [replace(ONE, licence="MIT", source=""), TWO]).version == made.version
    others = ([ONE], [replace(ONE, sha256="c" * 64), TWO], [replace(ONE, name="letters/c.png"), TWO])
    assert len({made.version, *(manifest("letters", files).version for files in others)}) == 4
    assert manifest("numbers", [ONE, TWO]).version != made.version
    assert made.label == f"letters@{made.version[:12]}"


def test_a_manifest_comes_back() -> None:
    """What is written is read as the same version."""
    made = manifest("letters", [ONE, TWO])
    assert parse(made.to_json(), "here") == made
    assert made.key == f"datasets/letters/{made.version}.json"
    assert ONE.key == f"datasets/objects/{ONE.sha256}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("a" * 64, "c" * 64), "its files make"),
        (lambda text: text[:-20], "no manifest"),
        (lambda text: text.replace('"sha256"', '"md5"'), "no manifest"),
        (lambda _: '{"name": "letters", "version": "", "files": []}', "at least one file"),
    ],
    ids=["another content", "cut short", "another field", "empty"],
)
def test_a_manifest_that_is_none(change: object, said: str) -> None:
    """One that was changed or cannot be read is named, and not taken for a version."""
    assert callable(change)
    with pytest.raises(BadManifest, match=said):
        parse(change(manifest("letters", [ONE, TWO]).to_json()), "somewhere")


def test_versions_of_the_catalogue() -> None:
    """A folder of the data catalogue is a version, of unpacked contents; an unknown one is an error."""
    mnist = of_catalogue("mnist")
    assert [one.name for one in mnist.files] == [
        f"mnist/{part}-ubyte"
        for part in ("t10k-images-idx3", "t10k-labels-idx1", "train-images-idx3", "train-labels-idx1")
    ]
    assert {one.licence[:12] for one in mnist.files} == {"CC BY-SA 3.0"}
    assert mnist.version == of_catalogue("mnist").version
    with pytest.raises(DataError, match="not in the data catalogue"):
        of_catalogue("nist")
