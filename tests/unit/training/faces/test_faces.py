"""The cards of the face services say what the services do now; what they are worth does not fall unseen."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from agents.imaging.faces.detector import Haar, YuNet
from agents.imaging.faces.models import YUNET
from streams.settings import Settings
from tests.unit.agents.pictures import astronaut, corners, file
from training.faces import card, match, scenes, traits
from training.faces.detection import Found, conditions, look, tally, worst
from training.faces.run import ANALYSIS, DETECTION
from training.faces.truth import Photo, photos

ROOT = Path(__file__).parents[4]

WRITE = "the page is not what is measured now: run `python -m training faces` and look at what changed"


def _photo(path: Path = Path("none"), faces: int = 0, **known: object) -> Photo:
    fields = {"men": None, "women": None, "boxes": (), "noses": (), **known}
    return Photo("a.png", path, faces, **fields)  # type: ignore[arg-type]  # each is of its field's type


def test_overlap() -> None:
    """Half a box over half of another is a third of both together; boxes apart have nothing in common."""
    assert match.overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert match.overlap((0, 0, 10, 10), (10, 0, 10, 10)) == 0
    assert match.overlap((3, 4, 5, 6), (3, 4, 5, 6)) == 1


def test_each_box_has_one_face() -> None:
    """Two boxes on one face are one right and one wrong; the better one is the right one, whatever their order."""
    known = [(0.0, 0.0, 10.0, 10.0), (100.0, 0.0, 10.0, 10.0)]
    boxes = [(2.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 10.0), (104.0, 0.0, 10.0, 10.0)]
    assert match.by_overlap(boxes, known) == [1.0]
    assert match.by_overlap(boxes[::-1], known) == [1.0]
    assert match.by_point(boxes, [(5, 5), (6, 6), (105, 5)]) == 3
    assert match.by_point(boxes[1:], [(5, 5), (6, 6), (105, 5)]) == 2
    assert match.by_point(boxes, [(50, 5)]) == 0


def test_tally() -> None:
    """Photos count when their number is right; faces only where it is known where they are; low scores are left out."""
    marked = _photo(faces=1, boxes=((0, 0, 10, 10),))
    counted = _photo(faces=2)
    results = (
        Found(marked, (((0, 0, 10, 9), 0.9), ((50, 50, 9, 9), 0.75))),
        Found(counted, (((0, 0, 1, 1), 0.9), ((9, 9, 1, 1), 0.9))),
        Found(_photo(), ()),
    )
    low, high = tally(results, 0.7), tally(results, 0.8)
    assert (low.counted.right, low.counted.of) == (2, 3)
    assert (low.recall.right, low.recall.of, low.precision.right, low.precision.of) == (1, 1, 1, 2)
    assert (high.counted.right, high.precision.of, high.overlap) == (3, 1, 0.9)
    assert worst(results) == 0.9
    assert worst(results, 0.95) == 0


def test_marks_go_with_the_pixels(tmp_path: Path) -> None:
    """The marked corner of a picture is green at any size, in the dark and on its side."""
    path = tmp_path / "corners.png"
    path.write_bytes(file(corners((400, 300))))
    photo = _photo(path, 1, boxes=((200, 0, 200, 150),))
    for name, scene in scenes.CONDITIONS.items():
        picture, known = scene(photo)
        ((x, y, width, height),) = known.boxes
        assert 0 <= x < x + width <= picture.size[0], name
        assert 0 <= y < y + height <= picture.size[1], name
        pixel = picture.pixels.convert("RGB").getpixel((round(x + width / 2), round(y + height / 2)))
        assert isinstance(pixel, tuple)
        assert pixel[1] > 2 * max(pixel[0], pixel[2]), name
    mirror = scenes.mirrored(scenes.as_it_is(photo)[0])
    assert mirror.pixels.getpixel((10, 10)) == (0, 255, 0)


def test_looking_at_a_photo(tmp_path: Path) -> None:
    """The cascade's one face of the astronaut is found in her photo, and none in a flat one."""
    (tmp_path / "one.png").write_bytes(astronaut())
    (tmp_path / "none.png").write_bytes(file(Image.new("RGB", (200, 200), "grey")))
    known = _photo(tmp_path / "one.png", 1, noses=((220.0, 118.0),)), _photo(tmp_path / "none.png")
    tallied = tally(look(Haar(), map(scenes.as_it_is, known)))
    assert (tallied.counted.right, tallied.recall.right, tallied.precision.of) == (2, 1, 1)


def test_counts_bound_the_right_and_wrong_answers() -> None:
    """Of a photo of one gender every answer is known; of another, only that so many at least are right and wrong."""
    women = traits.Counted("women", men=0, women=3, answered_men=1, answered_women=2)
    both = traits.Counted("both", men=2, women=3, answered_men=2, answered_women=3)
    assert (women.uniform, women.right, women.wrong) == (True, 2, 1)
    assert (both.uniform, both.right, both.wrong) == (False, 1, 0)
    measured = traits.Traits((women, both), {})
    assert (measured.least.right, measured.most.right, measured.most.of) == (3, 7, 8)
    assert (measured.known("woman").right, measured.known("woman").of, measured.known("man").of) == (2, 3, 0)


@pytest.fixture
def known() -> tuple[Photo, ...]:
    """The public photos; a test is skipped where they, or the weights, are not in the data directory."""
    folder = Settings.read().data
    if not (folder / "faces" / "photos.csv").exists() or YUNET.path() is None:
        pytest.skip(
            "needs the public data: run `millrace data fetch faces models` and set MILLRACE_DATA to its directory"
        )
    return photos(folder)


@pytest.mark.data
def test_the_photos_and_their_marks(known: tuple[Photo, ...]) -> None:
    """The data set is what the cards say of it."""
    assert (len(known), sum(photo.faces for photo in known)) == (18, 85)
    assert (sum(len(photo.boxes) for photo in known), sum(len(photo.noses) for photo in known)) == (26, 28)
    assert [photo.name for photo in known if not photo.marked] == ["astronaut.png", "obama.jpg", "solvay1927.jpg"]


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_card_of_face_detect(known: tuple[Photo, ...]) -> None:
    """The page has the figures that are measured now, and they are not below what was promised."""
    path = YUNET.path()
    assert path
    yunet, cascade = conditions(YuNet(path), known), conditions(Haar(), known)
    _floors(yunet)
    tallied = tally(cascade["as they are"])
    assert (tallied.counted.right >= 9, tallied.recall.rate > 0.75, tallied.precision.rate > 0.85) == (True, True, True)
    assert card.detection(yunet, cascade) == (ROOT / DETECTION).read_text(encoding="utf-8"), WRITE


def _floors(yunet: Mapping[str, tuple[Found, ...]]) -> None:
    plain = tally(yunet["as they are"])
    assert plain.counted.right == plain.counted.of == 18
    assert plain.recall.rate >= 53 / 54
    assert plain.precision.rate >= 53 / 54
    assert plain.overlap > 0.7
    for condition in ("at half the size", "a quarter as bright", "out of focus (a Gaussian of 3 pixels)"):
        assert tally(yunet[condition]).counted.right >= 17, condition
    assert tally(yunet["at a quarter of the size"]).recall.rate > 0.6


@pytest.mark.data
@pytest.mark.slow
def test_the_card_of_face_analyze(known: tuple[Photo, ...]) -> None:
    """The page has the figures that are measured now, and gender is no worse than was promised."""
    measured = traits.measure(known)
    assert (measured.faces, measured.known("woman", "man").of) == (71, 18)
    assert measured.known("woman", "man").right >= 16
    assert measured.most.right >= 63
    assert measured.steady["gender"].rate > 0.85
    assert card.analysis(measured) == (ROOT / ANALYSIS).read_text(encoding="utf-8"), WRITE
