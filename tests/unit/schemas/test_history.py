"""The contracts held against their releases."""

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import schemas
from schemas import history
from schemas.contracts import Contract, write_contract
from schemas.errors import Incompatible
from schemas.primitives import PRIMITIVES

AVRO = Path(schemas.__file__).parent / "avro"


def test_the_current_contracts_read_the_last_release() -> None:
    """No checked-in schema may break what the last release wrote; a service that must breaks with a new major version."""
    kept = history.releases()
    assert kept, "no release is kept under schemas/avro/released"
    reasons = history.broken(history.current(), history.released(kept[-1]))
    assert reasons == [], (
        f"release {kept[-1]} is broken; if it is not out yet: python -m schemas.history --freeze {kept[-1]}"
    )


def test_each_release_reads_the_one_before() -> None:
    """The kept releases themselves are a chain of compatible schemas."""
    kept = history.releases()
    for older, newer in pairwise(kept):
        assert history.broken(history.released(newer), history.released(older)) == []


@pytest.fixture
def avro(tmp_path: Path) -> Path:
    """A copy of the checked-in schemas without their releases."""
    return Path(shutil.copytree(AVRO, tmp_path / "avro", ignore=shutil.ignore_patterns("released", "services")))


def change(path: Path, **fields: Any) -> None:
    """Gives every field of a schema these attributes more."""
    schema = json.loads(path.read_text())
    schema["fields"] = [{**field, **fields} for field in schema["fields"]]
    path.write_text(json.dumps(schema))


def service(avro: Path, version: str, kind: str) -> None:
    """Checks in a service whose input is of this kind."""
    made = {"type": "record", "name": "millrace.XInput", "fields": [{"name": "a", "type": kind}]}
    write_contract(avro / "services", Contract("x", version, "", "", made, {**made, "name": "millrace.XOutput"}))


@pytest.mark.parametrize("kind", [name for name in PRIMITIVES if name != "string"])
def test_a_text_that_became_another_type_is_a_break_told_once(avro: Path, kind: str) -> None:
    """Also one that Avro resolves, as it does bytes: a caller who sends JSON is refused all the same."""
    service(avro, "1.0.0", "string")
    history.freeze("0.1.0", avro)
    service(avro, "1.1.0", kind)
    reasons = history.broken(history.current(avro), history.released("0.1.0", avro))
    about_input = [reason for reason in reasons if reason.startswith("services/x.input.avsc: a: ")]
    assert len(about_input) == 1, reasons


def test_an_incompatible_change_is_refused(avro: Path) -> None:
    """A field that changes its type breaks the last release: the check names file and field, and freezing refuses."""
    history.freeze("0.1.0", avro)
    assert history.broken(history.current(avro), history.released("0.1.0", avro)) == []
    change(avro / "Control.avsc", type="long")
    found = history.broken(history.current(avro), history.released("0.1.0", avro))
    assert [one.split(": ")[:2] for one in found] == [["Control.avsc", "run"], ["Control.avsc", "action"]]
    with pytest.raises(Incompatible, match=r"Control\.avsc: run"):
        history.freeze("0.2.0", avro)
    assert history.releases(avro) == ["0.1.0"]


def test_a_compatible_change_is_kept(avro: Path) -> None:
    """A field more with a default is a release of its own, listed in the order of the numbers."""
    history.freeze("0.9.0", avro)
    schema = json.loads((avro / "Control.avsc").read_text())
    schema["fields"].append({"name": "by", "type": "string", "default": ""})
    (avro / "Control.avsc").write_text(json.dumps(schema))
    history.freeze("0.10.0", avro)
    assert history.releases(avro) == ["0.9.0", "0.10.0"]
    assert len(history.released("0.10.0", avro)["Control.avsc"]["fields"]) == 3


def test_a_release_stands_alone(avro: Path) -> None:
    """A kept schema holds the shared records as they were, so that a later change of those is seen."""
    history.freeze("0.1.0", avro)
    assert history.released("0.1.0", avro)["Token.avsc"]["fields"][0]["type"]["name"] == "Run"


def test_a_service_may_break_with_a_new_major_version(avro: Path) -> None:
    """A service's schema is held against its release only within one major version: the next one has other topics."""
    service(avro, "1.0.0", "long")
    history.freeze("0.1.0", avro)
    service(avro, "1.1.0", "string")
    found = history.broken(history.current(avro), history.released("0.1.0", avro))
    assert [one.split(": ")[0] for one in found] == ["services/x.input.avsc", "services/x.output.avsc"]
    service(avro, "2.0.0", "string")
    assert history.broken(history.current(avro), history.released("0.1.0", avro)) == []


def test_an_input_that_takes_less_is_a_break(avro: Path) -> None:
    """A closer bound of an input refuses what callers send, so it is reported; an output may be narrower than before."""
    service(avro, "1.0.0", "long")
    history.freeze("0.1.0", avro)
    for side in ("input", "output"):
        change(avro / "services" / f"x.{side}.avsc", maximum=5)
    assert history.broken(history.current(avro), history.released("0.1.0", avro)) == [
        "services/x.input.avsc: a: maximum none became 5"
    ]
    with pytest.raises(Incompatible, match="maximum none became 5"):
        history.freeze("0.2.0", avro)


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The command says that the schemas fit the last release."""
    assert history.main([]) == 0
    assert "compatible with release" in capsys.readouterr().out
