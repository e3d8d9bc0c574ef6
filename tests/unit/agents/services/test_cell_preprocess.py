"""The white cell of a smear is found by its nucleus, whatever the stain and the light; what has none gets a clear answer."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from agents.cells.crop import LONGER, SIDE, white_cell
from agents.cells.find import bounds, find
from agents.cells.stain import PLASMA, Colour, plasma, stain
from agents.cells.types import CellType
from agents.imaging.area import Box
from agents.imaging.picture import Picture
from streams.service.errors import InvalidInput
from tests.unit.agents.pictures import astronaut, file, result, run
from training.cells.measure import boxes, overlap
from training.cells.pictures.data import learned_from, originals, tecom
from training.cells.pictures.drawn import EMPTY, smear
from training.cells.pictures.through import overlaps

RADIUS = 62
KINDS = tuple(CellType)


def drawn(*kinds: CellType, seed: int = 7) -> Colour:
    """A field with these white cells, the drawn one of the training's."""
    return smear(kinds, np.random.default_rng(seed))


def where(at: int = 0, of: int = 1) -> Box:
    """The box of the cell that stands there."""
    x, y = 640 * (2 * at + 1) // (2 * of), 240
    return x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS


def box(area: dict[str, int]) -> Box:
    """An area of an answer by its edges."""
    return area["x"], area["y"], area["x"] + area["width"], area["y"] + area["height"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_cell_is_found(kind: CellType, seed: int) -> None:
    """Every type is found with its cytoplasm among red cells and platelets."""
    output = run("cell-preprocess", file(Image.fromarray(drawn(kind, seed=seed)))).output
    assert overlap(box(output["area"]), where()) > 0.75
    assert output["cells"] == 1


@pytest.mark.parametrize(
    "how",
    [
        "dim lamp",
        "yellow light",
        "pale stain",
        "strong stain",
        "blurred",
        "noisy",
    ],
)
def test_stain_light_focus_and_noise_change_nothing(how: str) -> None:
    """A dim or coloured lamp, more or less stain, bad focus and noise change neither where the cell is nor what plasma looks like."""
    seen = drawn(CellType.NEUTROPHIL).astype(np.float32)
    light = np.array(EMPTY, np.float32)
    density = -np.log((seen + 1) / (light + 1))
    changed = {
        "dim lamp": seen * 0.55,
        "yellow light": seen * np.array([1.2, 1.2, 0.7], np.float32),
        "pale stain": (light + 1) * np.exp(-0.8 * density) - 1,
        "strong stain": (light + 1) * np.exp(-1.3 * density) - 1,
        "blurred": cv2.GaussianBlur(seen, (0, 0), 2.5),
        "noisy": seen + np.random.default_rng(1).normal(0, 8, seen.shape),
    }[how]
    picture = file(Image.fromarray(np.clip(changed, 0, 255).astype(np.uint8)))
    made_of = run("cell-preprocess", picture)
    assert overlap(box(made_of.output["area"]), where()) > 0.7
    lightest = np.percentile(np.asarray(result(made_of)).reshape(-1, 3), 80, axis=0)
    assert np.abs(lightest - PLASMA).max() < 8


@pytest.mark.parametrize("size", [(320, 240), (1600, 1200), (480, 640)])
def test_areas_are_of_the_picture_that_was_sent(size: tuple[int, int]) -> None:
    """However large the picture is, the area is in its own pixels."""
    field = Image.fromarray(drawn(CellType.MONOCYTE))
    turned = field.transpose(Image.Transpose.ROTATE_90) if size[0] < size[1] else field
    output = run("cell-preprocess", file(turned.resize(size))).output
    middle = output["area"]["x"] + output["area"]["width"] / 2, output["area"]["y"] + output["area"]["height"] / 2
    assert abs(middle[0] - size[0] / 2) < 0.03 * size[0]
    assert abs(middle[1] - size[1] / 2) < 0.03 * size[1]


def test_every_picture_has_the_same_form() -> None:
    """The cell is in the middle of a PNG of one size, its longer side as long as always, also when its file was a JPEG."""
    invocation = run("cell-preprocess", file(Image.fromarray(drawn(CellType.LYMPHOCYTE)), "jpeg", quality=90))
    image = result(invocation)
    assert (image.format, image.size, image.mode) == ("PNG", (SIDE, SIDE), "RGB")
    cell = find(stain(np.asarray(image)), 10)
    assert cell is not None
    left, top, right, bottom = bounds(cell.whole)
    assert abs(max(right - left, bottom - top) - LONGER) <= 8
    assert abs((left + right) / 2 - SIDE / 2) <= 4
    assert abs((top + bottom) / 2 - SIDE / 2) <= 4


def test_several_cells() -> None:
    """Of three white cells the one with the largest nucleus is taken, and three are told."""
    seen = drawn(CellType.NEUTROPHIL, CellType.LYMPHOCYTE, CellType.EOSINOPHIL)
    output = run("cell-preprocess", file(Image.fromarray(seen))).output
    assert output["cells"] == 3
    assert overlap(box(output["area"]), where(1, 3)) > 0.7


def test_a_cell_at_the_edge() -> None:
    """Of a cell that the picture cuts off, what is there is found; beyond the picture there is plasma."""
    cut = drawn(CellType.LYMPHOCYTE)[:, 320:]
    invocation = run("cell-preprocess", file(Image.fromarray(cut)))
    area = invocation.output["area"]
    assert area["x"] == 0
    assert abs(area["width"] - RADIUS) < 12
    assert float(np.asarray(result(invocation), np.float32)[:, :30].mean()) == pytest.approx(PLASMA, abs=1)


def pictures_without() -> dict[str, bytes]:
    """Pictures that show no white cell."""
    field = drawn()
    grey = Image.fromarray(drawn(CellType.MONOCYTE)).convert("L")
    return {
        "red cells and platelets": file(Image.fromarray(field)),
        "nothing": file(Image.new("RGB", (320, 240), EMPTY)),
        "black": file(Image.new("RGB", (320, 240))),
        "purple all over": file(Image.new("RGB", (320, 240), (112, 84, 186))),
        "no colours": file(grey),
    }


@pytest.mark.parametrize("what", list(pictures_without()))
def test_no_white_cell(what: str) -> None:
    """A picture without a white cell is refused, with what to send instead."""
    with pytest.raises(InvalidInput, match="no white cell") as refused:
        run("cell-preprocess", pictures_without()[what])
    assert refused.value.where == "image"
    assert "blood smear" in refused.value.hint


def test_a_sliver() -> None:
    """A picture that is too small for a cell is refused as that."""
    with pytest.raises(InvalidInput, match="too few"):
        run("cell-preprocess", file(Image.new("RGB", (400, 12))))


def test_other_photos_do_not_break_it() -> None:
    """A photo of something else is refused or gives an area inside of it: never an error."""
    try:
        area = run("cell-preprocess", astronaut()).output["area"]
    except InvalidInput:
        return
    assert 0 <= area["x"] < area["x"] + area["width"] <= 512


def test_plasma_is_the_light() -> None:
    """What is taken for the light is the colour of the empty plasma."""
    assert np.abs(plasma(drawn(CellType.NEUTROPHIL)) - np.array(EMPTY)).max() < 3


@pytest.mark.data
def test_boxes_that_people_drew(data: Path) -> None:
    """In every other BCCD original with a box, the cell is found where a person saw it."""
    measured = boxes(overlaps([*learned_from(data), *originals(data, "test")][::2]))
    assert measured["found"]["rate"] >= 0.98
    assert measured["mean"] > 0.78


@pytest.mark.data
def test_another_stain(data: Path) -> None:
    """On another microscope with a yellow stain, in pictures of one cell each, a cell is found in all, and fills its picture's middle."""
    for sample in tecom(data)[::10]:
        picture = Picture.decode(sample.data)
        area = white_cell(picture).area
        assert area.x <= picture.size[0] / 2 <= area.x + area.width
        assert area.y <= picture.size[1] / 2 <= area.y + area.height
