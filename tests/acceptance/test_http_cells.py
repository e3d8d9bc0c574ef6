"""Blood cells over HTTP: a microscope picture in, the type of its white cell out; one without gets a reason."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.cells.bundle import FOLDER
from agents.cells.types import CellType
from agents.services.cell_classify import NOTICE
from streams.models import read
from tests.acceptance.command import millrace
from tests.acceptance.system import System
from tests.integration.support.eventually import eventually
from training.cells.measure import overlap
from training.cells.pictures.data import originals
from training.cells.pictures.drawn import smear


def field(*kinds: CellType) -> bytes:
    """A drawn smear, as a JPEG."""
    out = BytesIO()
    Image.fromarray(smear(kinds, np.random.default_rng(9))).save(out, "JPEG", quality=90)
    return out.getvalue()


def test_a_cell_is_classified_over_http(system: System) -> None:
    """One call of the pipeline finds the cell and tells its type, how sure that is, by which model, and what it is not for."""
    run = system.submit("classify-cell", files={"image": ("smear.jpg", field(CellType.NEUTROPHIL))})
    assert system.follow(run)[-1].name == "run.finished"
    output = system.output(run)
    assert output["cell_type"] == "neutrophil"
    assert output["confidence"] == output["probabilities"]["neutrophil"] > 0.5
    assert set(output["probabilities"]) == set(CellType)
    area = output["area"]
    box = area["x"], area["y"], area["x"] + area["width"], area["y"] + area["height"]
    assert overlap(box, (258, 178, 382, 302)) > 0.7
    card = read(FOLDER)
    assert (output["model"], output["model_version"]) == (card.name, card.version)
    assert output["notice"] == NOTICE


def test_a_picture_without_a_white_cell_over_http(system: System) -> None:
    """A run on red cells alone fails at once, at the node that looks for the white cell, and says what to send."""
    run = system.submit("classify-cell", files={"image": ("red.jpg", field())})
    received = system.follow(run)
    assert received[-1].name == "run.failed"
    assert not [one for one in received if one.name == "node.retrying"]
    assert "no white cell" in str(received[-1].data)
    assert "found" in str(received[-1].data)


def test_the_catalogue_names_the_model_of_cells(system: System) -> None:
    """Who looks at the service sees which model serves, and that it is not for medical use."""
    with system.http as http:
        said = http.get("/services/cell-classify").json()
    assert said["model_version"] == read(FOLDER).version
    assert "Not for medical use" in said["summary"]


@pytest.mark.data
def test_real_cells_over_http(system: System, cells: Path) -> None:
    """Of eight test originals of BCCD, two of each type, at least seven are told as the list has them."""
    right = 0
    for kind in CellType:
        for one in [one for one in originals(cells, "test") if one.label is kind][:2]:
            run = system.submit("classify-cell", files={"image": (one.name, one.data)})
            assert system.follow(run)[-1].name == "run.finished"
            right += system.output(run)["cell_type"] == kind
    assert right >= 7


def test_fields_and_cells_are_kept(system: System) -> None:
    """With the predictions the field is kept as it was sent, and the cell as it was told; a type that there is not is no correction."""
    picture = field(CellType.MONOCYTE)
    run = system.submit("classify-cell", files={"image": ("field.jpg", picture)})
    received = {one.data["node"]: one.data["prediction"] for one in system.follow(run) if one.name == "node.finished"}
    assert system.object(received["found"]["kept"]).content == picture
    with Image.open(BytesIO(system.object(received["told"]["kept"]).content)) as cell:
        assert cell.size == (160, 160)
    identity, home = str(received["told"]["id"]), system.stack.home
    eventually(lambda: millrace("predictions", "show", identity, home=home).status == 0, 30)
    assert "monocyte" in millrace("predictions", "correct", identity, "basophil", home=home).err


@pytest.fixture
def cells() -> Path:
    """The data directory; a test is skipped where the blood cells are not in it."""
    from streams.settings import Settings

    folder = Settings.read().data
    if not (folder / "blood-cells").exists():
        pytest.skip(
            "needs the public data: set MILLRACE_DATA to a directory that has blood-cells (see the data catalogue)"
        )
    return folder
