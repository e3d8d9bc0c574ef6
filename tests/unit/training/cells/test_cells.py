"""What cells are learned from and judged by: the honest split, copies that stay the same cell, figures that know how few they are of."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.cells.stain import PLASMA
from agents.cells.types import CellType
from streams.settings import Settings
from tests.unit.agents.pictures import file
from training.cells import measure
from training.cells.options import copies
from training.cells.part import CELLS
from training.cells.pictures.data import AUGMENTED, BCCD, TECOM, Smear, augmented, learned_from, originals, tecom
from training.cells.pictures.drawn import smear
from training.cells.pictures.samples import TYPES, corrected, cut, samples, shared, twins
from training.cells.pictures.through import refused
from training.cells.pictures.vary import varied
from training.evaluation.probabilities import calibration_error
from training.part import BadOrder
from training.parts import PARTS


def field(kind: CellType, seed: int) -> Smear:
    """A drawn field with one cell."""
    pixels = smear((kind,), np.random.default_rng(seed), (320, 240), 44)
    return Smear("drawn", file(Image.fromarray(pixels)), kind, "drawn", (116, 76, 204, 164))


def test_copies_are_others_of_the_same_cell() -> None:
    """A copy is another picture each time, the same for the same seed, with the same lobes and plasma as light as before."""
    (cell,) = cut([field(CellType.NEUTROPHIL, 1)])
    varieties = samples([cell], [CellType.NEUTROPHIL], 8, np.random.default_rng(3))
    again = samples([cell], [CellType.NEUTROPHIL], 8, np.random.default_rng(3))
    assert varieties.traits.shape == (1, 9, len(varieties.names))
    assert (varieties.traits == again.traits).all()
    assert len(np.unique(varieties.traits[0], axis=0)) == 9
    assert np.isfinite(varieties.traits).all()
    solid = varieties.traits[0, :, varieties.names.index("nucleus of its hull")]
    assert float(np.ptp(solid)) < 0.12
    other = varied(cell, np.random.default_rng(4))
    assert abs(float(np.median(other)) - PLASMA) < 12


def test_the_same_cell_twice_is_one() -> None:
    """Two pictures of one cell are one group, and are found between two sets; other cells are not."""
    cells = cut([field(CellType.NEUTROPHIL, 1), field(CellType.LYMPHOCYTE, 1), field(CellType.NEUTROPHIL, 5)])
    noisy = np.clip(cells[0] + np.random.default_rng(1).normal(0, 4, cells[0].shape), 0, 255).astype(np.uint8)
    assert twins([*cells, noisy]).tolist() == [0, 1, 2, 0]
    assert shared([cells[1], noisy], [cells[0], cells[2]]).tolist() == [False, True]


def test_corrections_are_learned_from() -> None:
    """What people corrected is taken when it is a cut-out of a known type, and left out when it is not."""
    (cell,) = cut([field(CellType.MONOCYTE, 2)])
    kept = file(Image.fromarray(cell))
    usable = corrected(
        [
            ("monocyte", kept),
            ("basophil", kept),
            ("monocyte", b"no picture"),
            ("eosinophil", file(Image.new("RGB", (9, 9)))),
        ]
    )
    assert [kind for _, kind in usable] == [CellType.MONOCYTE]
    assert (usable[0][0] == cell).all()


def test_balanced_accuracy_counts_every_type_alike() -> None:
    """Always saying the frequent type gives a quarter; a refused picture is not right, and stands in its own column."""
    labels = np.array([0] * 90 + [1] * 5 + [2] * 3 + [3] * 2)
    always = np.tile([1.0, 0, 0, 0], (100, 1))
    assert measure.balanced(always, labels) == pytest.approx(0.25)
    always[0] = 0
    table = measure.confusion(always, labels)
    assert table[0].tolist() == [89, 0, 0, 0, 1]
    assert measure.recalls(table)[0] == pytest.approx(89 / 90)


def test_intervals_of_few() -> None:
    """A type of which all three are right adds nothing to the bootstrap's width, and much to the other interval's; both hold the figure."""
    table = np.array([[28, 2, 0, 0, 0], [2, 13, 0, 0, 0], [0, 0, 5, 0, 0], [0, 0, 0, 3, 0]])
    low, high = measure.drawn_again(table, 1)
    assert 0.88 < low < 0.95 < high <= 1
    wide = measure.believed(table, 1)
    assert wide[0] < low - 0.05
    assert wide[0] < 0.95 < wide[1]
    assert measure.drawn_again(table, 1) == (low, high)


def test_calibration() -> None:
    """Being as sure as being right often has no error; being always sure and half right has one of a half."""
    labels = np.array([0, 1] * 50)
    assert calibration_error(np.tile([0.5 + 1e-9, 0.5, 0, 0], (100, 1)), labels, bins=10) == pytest.approx(0, abs=1e-6)
    assert calibration_error(np.tile([1.0, 0, 0, 0], (100, 1)), labels, bins=10) == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["0", "51", "-1", "ten", "", "1.5"])
def test_copies_that_make_no_sense(text: str) -> None:
    """A number of copies that is none is refused with what it may be, before anything is learned."""
    with pytest.raises(BadOrder, match=r"^copies: .* 1 to 50"):
        copies({"copies": text})
    assert copies({}) == 10


def test_overlap() -> None:
    """Of two boxes that share a third of what they cover."""
    assert measure.overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert measure.overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0


def test_quarters_without_a_cell() -> None:
    """Of a field with its cell in the middle no quarter is empty; with the cell in a corner three are, and are refused."""
    middle = field(CellType.LYMPHOCYTE, 3)
    assert refused([middle]) == (0, 0)
    pixels = smear((CellType.LYMPHOCYTE,), np.random.default_rng(3), (320, 240), 44)
    corner = np.tile(np.array([206, 208, 206], np.uint8), (480, 640, 1))
    corner[:240, :320] = pixels
    assert refused([Smear("corner", file(Image.fromarray(corner)), CellType.LYMPHOCYTE, "corner", middle.box)]) == (
        3,
        3,
    )


def test_the_part() -> None:
    """Cells are a part like the others, for the slot of the service that they serve, learned from the set whose licence allows it."""
    assert PARTS["cells"] is CELLS
    assert (CELLS.slot, CELLS.dataset) == ("cell-classify", BCCD)
    assert {AUGMENTED, TECOM, BCCD} == {"blood-cells/bccd-augmented", "blood-cells/tecom", "blood-cells/bccd"}


@pytest.mark.data
def test_the_split_of_cells_is_honest(data: Path) -> None:
    """No original is on both sides, nor a copy of one; what is learned from has a box, and so is under the MIT licence."""
    learned, test = learned_from(data), originals(data, "test")
    count = [[sum(smear.label is kind for smear in some) for kind in TYPES] for some in (learned, test)]
    assert count == [[124, 55, 22, 13], [30, 15, 5, 3]]
    names = {smear.name for smear in learned}
    assert all(smear.box for smear in learned)
    assert not names & {smear.name for smear in test}
    copies = augmented(data)
    assert len(copies) == 700
    assert not names & {copied.original for copied in copies}
    assert len(tecom(data)) == 267


@pytest.fixture
def data() -> Path:
    """The data directory; a test is skipped where the blood cells are not in it."""
    folder = Settings.read().data
    if not (folder / "blood-cells").exists():
        pytest.skip(
            "needs the public data: set MILLRACE_DATA to a directory that has blood-cells (see the data catalogue)"
        )
    return folder
