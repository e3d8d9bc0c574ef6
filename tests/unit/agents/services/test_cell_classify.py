"""The type of a white cell is told by its traits; every answer says by what, how sure, and what it is not for."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agents.cells.bundle import FILE, FOLDER, NAME
from agents.cells.classifier import Classifier, Weights, parse
from agents.cells.crop import cut_out
from agents.cells.stain import PLASMA
from agents.cells.traits import traits
from agents.cells.types import CellType
from agents.imaging.picture import Picture
from agents.services.cell_classify import NOTICE, cell_classify
from streams.datasets.drift import read as reference
from streams.datasets.manifest import of_catalogue
from streams.models import BadBundle, read
from streams.service.errors import InvalidInput
from tests.unit.agents.pictures import file, result, run
from training.cells.measure import balanced
from training.cells.pictures import data as cells
from training.cells.pictures.drawn import smear
from training.cells.pictures.through import classified
from training.registry.bundle import write

REFERENCE = Path(__file__).parent / "cell_reference.npz"


def drawn(kind: CellType, seed: int = 3) -> bytes:
    """What cell-preprocess makes of a drawn cell."""
    field = smear((kind,), np.random.default_rng(seed), (320, 240), 44)
    return file(result(run("cell-preprocess", file(Image.fromarray(field)))))


def references() -> tuple[list[bytes], Any]:
    """Pictures of drawn cells, and what the trained model said of them."""
    kept = np.load(REFERENCE)
    ends = kept["ends"].tolist()
    whole = kept["pictures"].tobytes()
    return [whole[begin:end] for begin, end in zip([0, *ends], ends, strict=False)], kept["probabilities"]


@pytest.mark.parametrize("kind", [CellType.NEUTROPHIL, CellType.EOSINOPHIL])
def test_a_cell_is_told(kind: CellType) -> None:
    """The likenesses that are drawn well enough are told; the answer is whole, adds up, and is marked."""
    output = run("cell-classify", drawn(kind)).output
    assert output["cell_type"] == kind
    assert set(output["probabilities"]) == set(CellType)
    assert output["confidence"] == output["probabilities"][kind] == max(output["probabilities"].values())
    assert sum(output["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert output["notice"] == NOTICE == "not for medical use"
    assert (output["model"], output["model_version"]) == (NAME, read(FOLDER).version)


def test_the_served_model_is_the_trained_one() -> None:
    """What is served says of drawn cells what scikit-learn's model said of them when it was trained."""
    pictures, wanted = references()
    model = Classifier()
    said = [model.tell(traits(cut_out(Picture.decode(picture)))).probabilities for picture in pictures]
    served = np.array([[probabilities[kind] for kind in CellType] for probabilities in said])
    assert served.shape == wanted.shape == (12, 4)
    assert float(np.abs(served - wanted).max()) < 1e-3
    assert len(set(wanted.argmax(axis=1))) > 1


def test_unlike_everything_learned_from() -> None:
    """A cell in another stain is told to be no familiar one, whatever the probabilities are."""
    pixels = cut_out(Picture.decode(drawn(CellType.LYMPHOCYTE))).astype(np.float32)
    density = -np.log((pixels + 1) / (PLASMA + 1))
    maroon = density @ np.array([[1.2, 0, 0], [0.6, 2.5, 0.6], [0, 0, 1]])
    other = np.clip((PLASMA + 1) * np.exp(-maroon) - 1, 0, 255)
    usual = run("cell-classify", drawn(CellType.LYMPHOCYTE)).output
    strange = run("cell-classify", file(Image.fromarray(other.astype(np.uint8)))).output
    assert usual["familiar"] is True
    assert strange["familiar"] is False
    assert strange["strangeness"] > Classifier().weights.familiar >= usual["strangeness"]


def test_the_card_says_what_was_learned_from() -> None:
    """Drift is measured against features that every answer has."""
    learned = reference(read(FOLDER).card)
    assert learned is not None
    assert learned.of == 214
    output = run("cell-classify", drawn(CellType.NEUTROPHIL)).output
    assert {feature.name for feature in learned.features} == {
        "output.strangeness",
        "output.confidence",
        "output.cell_type",
    }
    assert all(feature.place(output[feature.path[1]]) is not None for feature in learned.features)


@pytest.mark.parametrize("size", [(640, 480), (160, 120), (80, 80)])
def test_a_picture_of_another_origin_is_refused(size: tuple[int, int]) -> None:
    """A picture that cell-preprocess did not make is refused, with what to do."""
    with pytest.raises(InvalidInput, match="160 x 160") as refused:
        run("cell-classify", file(Image.new("RGB", size, "white")))
    assert "classify-cell" in refused.value.hint
    assert refused.value.where == "image"


def test_a_cut_out_without_a_cell() -> None:
    """A picture of the right size that shows nothing is refused as that."""
    with pytest.raises(InvalidInput, match="no white cell"):
        run("cell-classify", file(Image.new("RGB", (160, 160), "white")))


def test_a_picture_of_nothing_but_a_nucleus() -> None:
    """Where nothing lies around the nucleus there is nothing to tell the type by, which is the picture's fault."""
    with pytest.raises(InvalidInput, match="nothing but a nucleus") as refused:
        run("cell-classify", file(Image.new("RGB", (160, 160), (112, 84, 186))))
    assert refused.value.where == "image"


def test_traits_do_not_depend_on_the_turn() -> None:
    """A cell has the same shape when its picture is turned or mirrored."""
    image = Image.fromarray(cut_out(Picture.decode(drawn(CellType.NEUTROPHIL))))
    first = traits(np.asarray(image))
    for turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT):
        other = traits(np.asarray(image.transpose(turn)))
        for name in ("nucleus of cell", "nucleus of its hull", "lobes", "cytoplasm green", "fine grain of nucleus"):
            assert other[name] == pytest.approx(first[name], rel=0.05), (turn, name)


def test_lobes_are_counted() -> None:
    """A lobed nucleus is less round, and fills less of its hull, than a round one."""
    lobed, whole = (traits(cut_out(Picture.decode(drawn(kind)))) for kind in (CellType.NEUTROPHIL, CellType.LYMPHOCYTE))
    assert lobed["lobes"] >= 3 > whole["lobes"]
    assert lobed["roundness"] < whole["roundness"]
    assert lobed["nucleus of its hull"] < 0.85 < whole["nucleus of its hull"]
    assert lobed["nucleus of cell"] < whole["nucleus of cell"]


def test_the_model_is_announced() -> None:
    """The catalogue names the model and its version, and the card its data, its licence and what it is not for."""
    (status,) = cell_classify.model_status()
    card = read(FOLDER).card
    assert (status.name, status.version, status.ready) == (NAME, card["version"], True)
    assert card["dataset"] == of_catalogue("blood-cells/bccd").label
    assert card["notice"] == NOTICE
    assert (FOLDER / FILE).stat().st_size < 50_000


def test_weights_come_back_as_they_were() -> None:
    """A model's text is read number for number."""
    text = (FOLDER / FILE).read_text(encoding="utf-8")
    assert parse(text).to_json() == text


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"familiar": float("nan")},
        {"types": ["neutrophil"]},
        {"types": ["neutrophil", "basophil", "lymphocyte", "monocyte"]},
        {"biases": [1, 2]},
        {"traits": {}},
        {"traits": None},
    ],
    ids=str,
)
def test_a_broken_model(change: dict[str, Any], tmp_path: Path) -> None:
    """A model whose parts do not fit together is never served."""
    body = json.loads((FOLDER / FILE).read_text(encoding="utf-8"))
    (tmp_path / FILE).write_text(json.dumps(body | change), encoding="utf-8")
    write(tmp_path, read(FOLDER).card)
    with pytest.raises(BadBundle, match="not a readable model"):
        Classifier(tmp_path)


def test_another_model_than_its_card_speaks_of(tmp_path: Path) -> None:
    """A file that was exchanged is not served under the old name; a model of traits that nobody measures says which."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    text = (FOLDER / FILE).read_text(encoding="utf-8").replace('"lobes"', '"horns"')
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(BadBundle, match="is not the file of its card"):
        Classifier(tmp_path)
    write(tmp_path, read(tmp_path).card)
    with pytest.raises(BadBundle, match="needs horns"):
        Classifier(tmp_path).tell(traits(cut_out(Picture.decode(drawn(CellType.MONOCYTE)))))


def test_probabilities_are_calibrated_by_the_temperature() -> None:
    """A higher temperature makes a model less sure, and changes no answer."""
    cold = parse((FOLDER / FILE).read_text(encoding="utf-8"))
    warm = Weights(**{**cold.__dict__, "temperature": 3 * cold.temperature})
    rows = np.random.default_rng(2).normal(0, 1, (50, len(cold.traits))) * cold.spread + cold.usual
    before, after = cold.probabilities(rows), warm.probabilities(rows)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    assert (after.max(axis=1) <= before.max(axis=1) + 1e-12).all()


@pytest.mark.data
def test_the_test_originals_of_bccd(data: Path) -> None:
    """On the test originals, through both services as files, the figures are those of the card."""
    said = classified(Classifier(), cells.originals(data, "test"))
    card = read(FOLDER).card["metrics"]["test"]
    assert balanced(said.probabilities, said.labels) == pytest.approx(card["balanced_accuracy"], abs=0.03)
    assert balanced(said.probabilities, said.labels) >= 0.9
    assert said.refused == card["refused"]
