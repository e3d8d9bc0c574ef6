"""Bundles: what a card must say, and what is found when it or a file is not what it should be."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from streams.models import BadBundle, check, read, version_of
from streams.models.bundle import parse

CONTENTS = {"model.onnx": b"a network", "labels.txt": b"cat\ndog\n"}


def made(folder: Path, **changes: Any) -> Path:
    """A bundle of two files, whose card is changed so; None takes a field away."""
    for name, data in CONTENTS.items():
        (folder / name).write_bytes(data)
    files = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()}
    card = {
        "name": "pets_model",
        "version": version_of(files),
        "dataset": "pets@0123456789ab",
        "licence": "CC0",
        "files": files,
        "metrics": {},
        **changes,
    }
    (folder / "card.json").write_text(json.dumps({key: value for key, value in card.items() if value is not None}))
    return folder


def test_a_whole_bundle(tmp_path: Path) -> None:
    """Its card is read with what the service needs of it, and every file is held against its hash."""
    found = check(made(tmp_path, labels=["cat", "dog"]))
    assert (found.name, found.dataset, found.folder) == ("pets_model", "pets@0123456789ab", tmp_path)
    assert found.version == version_of(found.files)
    assert found.card["labels"] == ["cat", "dog"]


def test_a_version_is_its_content() -> None:
    """A single file gives its own hash; of several, every name and hash counts, and their order does not."""
    assert version_of({"a": "0123456789abcdef" * 4}) == "0123456789ab"
    two = version_of({"a": "1" * 64, "b": "2" * 64})
    assert two == version_of({"b": "2" * 64, "a": "1" * 64})
    assert two != version_of({"a": "2" * 64, "b": "1" * 64})
    assert two != version_of({"a": "1" * 64, "c": "2" * 64})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "no name"),
        ({"licence": "", "metrics": 3}, "no licence, no metrics"),
        ({"files": {}}, "no files"),
        ({"files": {"../outside": "0" * 64}}, "no files"),
        ({"files": {"card.json": "0" * 64}}, "no files"),
        ({"files": {"model.onnx": "0" * 63}}, "no files"),
        ({"version": "0123456789ab"}, "says version 0123456789ab, and its files make"),
    ],
)
def test_a_card_that_does_not_fit(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """Everything that is wrong with a card is said, with the folder; names of files lead out of none."""
    with pytest.raises(BadBundle, match=said) as caught:
        read(made(tmp_path, **changes))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b"3"])
def test_a_card_that_is_none(text: bytes) -> None:
    """What is no JSON object is no card."""
    with pytest.raises(BadBundle, match="pets: its card is no JSON"):
        parse(text, "pets")


def test_files_that_are_not_those_of_the_card(tmp_path: Path) -> None:
    """A file that is missing, or has another content, is named; the card alone can still be read."""
    made(tmp_path)
    (tmp_path / "labels.txt").write_text("cow\n")
    with pytest.raises(BadBundle, match=r"labels\.txt is not the file of its card"):
        check(tmp_path)
    (tmp_path / "labels.txt").unlink()
    with pytest.raises(BadBundle, match=r"labels\.txt cannot be read"):
        check(tmp_path)
    assert read(tmp_path).name == "pets_model"
    with pytest.raises(BadBundle, match="its card cannot be read"):
        read(tmp_path / "nowhere")
