"""What holds for every service: found by its file, its contract written down, its example working."""

import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from agents import discovery
from agents.contracts import contracts, main, stale, write
from agents.discovery import UnknownService
from agents.imaging.area import Area
from schemas.contracts import load_contracts
from schemas.refs import Ref
from schemas.validation.conform import conform
from streams.service.child_calls import call
from streams.service.contract import fields_of
from streams.service.errors import InvalidInput
from tests.unit.agents.pictures import ref

NAMES = (
    "face-analyze",
    "face-detect",
    "http-call",
    "image-analyze",
    "image-blur",
    "image-convert",
    "image-crop",
    "image-greyscale",
    "image-resize",
    "object-detect",
)


def test_services_are_found() -> None:
    """Each service of the interface is found under its own name."""
    assert set(NAMES) <= discovery.registry().keys()
    assert list(discovery.registry()) == sorted(discovery.registry())


def test_finding_imports_nothing() -> None:
    """Listing services runs none of their files, and knowing their contracts loads neither OpenCV nor NumPy."""
    script = (
        "import sys\nfrom agents import discovery\n"
        "names = list(discovery.registry())\n"
        "assert not any(name.replace('-', '_') in m for m in sys.modules for name in names)\n"
        "for name in names: discovery.load(name).contract, discovery.load(name).model_status()\n"
        "assert not {'cv2', 'numpy'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_unknown_service() -> None:
    """A wrong name gets the nearest one, or all that there are."""
    with pytest.raises(UnknownService, match="did you mean image-blur"):
        discovery.load("image-blurr")
    with pytest.raises(UnknownService, match="there are cell-classify, "):
        discovery.load("xyz")


@pytest.mark.parametrize("name", [name for name in discovery.registry() if not discovery.load(name).waits])
def test_examples_work(name: str, no_data: Path) -> None:
    """The example that a service shows in the catalogue is a call that works, on a machine without any data or network.

    Where none of its models is there, the call is refused, as the catalogue says.
    """
    service = discovery.load(name)
    assert service.example is not None
    objects: dict[str, bytes] = {}

    def stored(_: str, url: Any) -> dict[str, Any]:
        data = b64decode(url.partition(",")[2])
        reference = ref(data)
        objects[reference["sha256"]] = data
        return reference

    record = conform(service.contract.input, service.example, image=stored)
    models = service.model_status()
    if models and not any(model.ready for model in models):
        assert all(model.detail for model in models)
        with pytest.raises(InvalidInput):
            call(service.function.__module__, name, record, objects)
        return
    invocation = call(service.function.__module__, name, record, objects)
    assert conform(service.contract.output, invocation.output) == invocation.output


@pytest.mark.parametrize("name", discovery.registry())
def test_contracts_explain_themselves(name: str) -> None:
    """Every service has a summary, a description and an example, and every field of its input is documented."""
    service = discovery.load(name)
    assert service.summary.endswith(".")
    assert len(service.summary) <= 100
    assert service.description
    for field in fields_of(service.request):
        assert field.doc.text, f"{name}: {field.name}"


@pytest.mark.parametrize("name", discovery.registry())
def test_predictions_name_their_model(name: str) -> None:
    """A service with models says in every answer which one it was."""
    service = discovery.load(name)
    if service.model_status():
        assert {"model", "model_version"} <= {field.name for field in fields_of(service.response)}


def test_the_checked_in_contracts_are_in_step() -> None:
    """What the other packages read from schemas/avro/services is what the services say."""
    assert stale() == [], "run `python -m agents.contracts`"
    assert load_contracts() == {contract.name: contract for contract in contracts()}


def test_writing_contracts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, changed and left-over files are found by --check and put right by writing."""
    everything = write(tmp_path)
    assert len(everything) == 2 * len(discovery.registry())
    assert main(["--check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "gone-service.input.avsc").write_text("{}")
    (tmp_path / "image-blur.input.avsc").write_text("{}")
    (tmp_path / "image-crop.output.avsc").unlink()
    wrong = ["gone-service.input.avsc", "image-blur.input.avsc", "image-crop.output.avsc"]
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [f"out of step: {name}" for name in wrong]
    assert write(tmp_path) == wrong
    assert stale(tmp_path) == []


def test_records_are_frozen() -> None:
    """A function cannot change what it was given."""
    area = Area(x=1, y=2, width=3, height=4)
    with pytest.raises(AttributeError):
        area.x = 5  # type: ignore[misc]


def test_refs_in_examples_are_no_refs() -> None:
    """Examples carry their picture with them, so that they can be sent as they are."""
    for name in discovery.registry():
        image = discovery.load(name).contract.to_json()["example"].get("image", "data:image/png;base64,")
        assert not isinstance(image, Ref)
        assert image.startswith("data:image/png;base64,")
