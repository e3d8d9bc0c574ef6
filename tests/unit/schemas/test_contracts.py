"""Contracts of services."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.contracts import WHOLE, Contract, load_contracts, render_contract, write_contract
from schemas.errors import BadContract
from schemas.shapes import record_shape


def contract(**changes: Any) -> Contract:
    """A contract that differs from the usual one by these parts."""
    image = {"name": "image", "type": "millrace.Ref", "doc": "Größe egal."}
    parts: dict[str, Any] = {
        "name": "image-blur",
        "version": "2.1.0",
        "summary": "Blur parts of an image",
        "description": "A long text.",
        "input": {"type": "record", "name": "millrace.ImageBlurInput", "fields": [image]},
        "output": {"type": "record", "name": "millrace.ImageBlurOutput", "fields": [image]},
        "example": {"image": "file:photo.jpg"},
    }
    return Contract(**{**parts, **changes})


def test_written_and_loaded(tmp_path: Path) -> None:
    """What is written loads as the same contract, whichever values it has."""
    for one in (contract(), contract(name="http-call", deterministic=False, timeout=2.5, memory=64, example=None)):
        write_contract(tmp_path, one)
    assert list(load_contracts(tmp_path)) == ["http-call", "image-blur"]
    assert load_contracts(tmp_path)["image-blur"] == contract()
    assert load_contracts(tmp_path)["http-call"].timeout == 2.5


def test_the_files_are_stable(tmp_path: Path) -> None:
    """Writing what was loaded changes no byte, and a file ends with a newline and keeps its letters readable."""
    paths = write_contract(tmp_path, contract())
    before = [path.read_text(encoding="utf-8") for path in paths]
    write_contract(tmp_path, load_contracts(tmp_path)["image-blur"])
    assert [path.read_text(encoding="utf-8") for path in paths] == before
    assert list(render_contract(contract())) == before
    assert before[0].endswith("}\n")
    assert "Größe" in before[0]


def test_wire_form() -> None:
    """A contract survives JSON, as values and as text, and a later version's new parts are passed over."""
    values = json.loads(json.dumps(contract().to_json()))
    assert Contract.from_json(values) == contract()
    assert Contract.from_json(json.dumps({**values, "colour": "red"})) == contract()


def test_major_and_whole_schemas() -> None:
    """The major version is a number, and the whole schemas stand by themselves."""
    assert contract().major == 2
    assert contract().input_schema["fields"][0]["type"]["name"] == "Ref"
    assert record_shape(contract().output_schema).name == "millrace.ImageBlurOutput"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Image_Blur"}, "lower-case"),
        ({"version": "1"}, r"major\.minor\.patch"),
        ({"version": "1.01.0"}, r"major\.minor\.patch"),
        ({"timeout": 0}, "timeout"),
        ({"memory": -1}, "memory"),
        ({"input": {"type": "string"}}, "input schema"),
        ({"output": {"type": "record", "name": "X", "fields": [{"name": "a", "type": "Nope"}]}}, "output schema.*Nope"),
    ],
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    """A contract of wrong parts cannot be made; the message names the service and the part."""
    with pytest.raises(BadContract, match=message):
        contract(**changes)


def test_broken_files(tmp_path: Path) -> None:
    """A missing half, a missing meta attribute and a file that is not JSON are named."""
    source, target = write_contract(tmp_path, contract())
    target.unlink()
    with pytest.raises(BadContract, match=r"image-blur\.output\.avsc is missing"):
        load_contracts(tmp_path)
    target.write_text("{")
    with pytest.raises(BadContract, match=r"image-blur\.output\.avsc: not JSON"):
        load_contracts(tmp_path)
    target.write_text("{}")
    source.write_text("{}")
    with pytest.raises(BadContract, match="'millrace'"):
        load_contracts(tmp_path)
    with pytest.raises(BadContract):
        Contract.from_json("[]")


def test_the_checked_in_contracts_load() -> None:
    """Every contract of the package loads."""
    for name, one in load_contracts().items():
        assert one.name == name
        assert one.summary


def test_a_kept_input_and_a_label_must_exist() -> None:
    """A label is a field of the output, what is kept an object of the input, and only of a service with a model."""
    says = {
        "type": "record",
        "name": "t.Says",
        "fields": [{"name": n, "type": "string"} for n in ("model", "model_version", "word")],
    }
    kept = contract(output=says, label="word", keeps="image")
    assert Contract.from_json(kept.to_json()) == kept
    assert contract(output=says, keeps=WHOLE).keeps == WHOLE
    wrong: list[dict[str, Any]] = [{"label": "words"}, {"keeps": "photo"}]
    for changes in wrong:
        with pytest.raises(BadContract, match=next(iter(changes.values()))):
            contract(output=says, **changes)
    with pytest.raises(BadContract, match="model_version"):
        contract(keeps="image")
