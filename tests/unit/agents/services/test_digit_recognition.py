"""A digit is found, centred and read, however it was drawn; what is none, or several, gets a clear answer."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agents.digits.bundle import FILE, FOLDER, NAME
from agents.digits.reader import Reader
from agents.digits.slot import DIGITS
from agents.services.digit_recognition import digit_recognition
from streams.models import BadBundle, read
from streams.service.errors import InvalidInput
from tests.unit.agents.pictures import file, run

REFERENCE = Path(__file__).parent / "digit_reference.npz"

Grey = NDArray[np.uint8]


def strokes(text: str, size: int = 160, width: int = 9, scale: float = 3.2) -> Grey:
    """Digits in white on black, as a pen would draw them."""
    canvas = np.zeros((size, size * len(text)), np.uint8)
    for index, character in enumerate(text):
        place = index * size + size // 4, size * 3 // 4
        cv2.putText(canvas, character, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, width, cv2.LINE_AA)
    return canvas


def uneven(ink: Grey) -> Grey:
    """A photo of the ink: dark on grey paper, bright on the left, in shadow on the right, with the sensor's noise."""
    height, width = ink.shape
    light = np.linspace(1.0, 0.55, width)[None, :] * np.linspace(1.0, 0.85, height)[:, None]
    seen = (215 - 150 * (ink / 255)) * light + np.random.default_rng(4).normal(0, 4, ink.shape)
    return np.clip(seen, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("how", ["light on dark", "dark on light", "photo", "small", "off the middle"])
def test_a_digit_is_read(digit: int, how: str) -> None:
    """Every digit is right in light on dark, dark on light, uneven light, at 40 pixels, and in a corner of a large sheet."""
    ink = strokes(str(digit))
    seen = {
        "light on dark": ink,
        "dark on light": 255 - ink,
        "photo": uneven(np.pad(ink, 60)),
        "small": cv2.resize(ink, (40, 40), interpolation=cv2.INTER_AREA).astype(np.uint8),
        "off the middle": np.pad(255 - ink, ((300, 10), (20, 400)), constant_values=255),
    }[how]
    output = run("digit-recognition", file(Image.fromarray(seen))).output
    assert output["digit"] == digit
    assert output["confidence"] == output["probabilities"][digit] > 0.5
    assert sum(output["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert output["light_on_dark"] == (how in ("light on dark", "small"))
    assert output["model"] == NAME
    assert output["model_version"] == read(FOLDER).version


def test_the_ink_is_found() -> None:
    """The area is that of the ink, in pixels of the picture that was sent, however large it is."""
    sheet = np.full((1600, 1200), 240, np.uint8)
    sheet[400:900, 700:760] = 20
    output = run("digit-recognition", file(Image.fromarray(sheet))).output
    area = output["area"]
    assert output["digit"] == 1
    assert abs(area["x"] - 700) <= 8
    assert abs(area["y"] - 400) <= 8
    assert abs(area["width"] - 60) <= 12
    assert abs(area["height"] - 500) <= 12


@pytest.mark.parametrize("light", [True, False])
def test_transparent_drawings(light: bool) -> None:
    """Ink on a transparent ground is seen, white as well as black."""
    ink = strokes("4")
    values = np.full_like(ink, 255 if light else 0)
    image = Image.merge("LA", (Image.fromarray(values), Image.fromarray(ink)))
    assert run("digit-recognition", file(image)).output["digit"] == 4


def test_dirt_is_passed_over() -> None:
    """Specks around a digit, and the edge of a table beside the paper, do not change what it is."""
    sheet = 255 - np.pad(strokes("5"), 80)
    sheet[20:23, 30:33] = sheet[280:284, 250:254] = 60
    sheet[:, :14] = 30
    output = run("digit-recognition", file(Image.fromarray(sheet))).output
    assert output["digit"] == 5
    assert output["area"]["x"] > 80


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.full((120, 120), 255, np.uint8), "blank"),
        (np.zeros((28, 28), np.uint8), "blank"),
        (uneven(np.zeros((200, 200), np.uint8)), "blank"),
        (255 - strokes("27"), "2 digits"),
        (uneven(strokes("358")), "3 digits"),
        (np.vstack([strokes("2"), strokes("7")]), "2 digits"),
        (np.full((3, 90), 255, np.uint8), "too few"),
        (np.full((30, 5000), 255, np.uint8), "too few"),
    ],
    ids=["white", "black", "empty paper", "two", "three in a photo", "one above the other", "a line", "a strip"],
)
def test_a_picture_without_exactly_one_digit_is_refused(pixels: Grey, said: str) -> None:
    """Blank paper, several digits and slivers get an answer that says what is wrong and what to send."""
    with pytest.raises(InvalidInput, match=said) as refused:
        run("digit-recognition", file(Image.fromarray(pixels)))
    assert refused.value.where == "image"
    assert refused.value.hint


def test_the_served_network_is_the_trained_one() -> None:
    """What is served says of drawn digits what TensorFlow said of them when it was trained."""
    kept, served = np.load(REFERENCE), Reader()
    served_probabilities = np.array([served.read(picture).probabilities for picture in kept["pictures"]])
    assert served_probabilities.shape == (64, 10)
    assert float(np.abs(served_probabilities - kept["probabilities"]).max()) < 1e-4
    assert len(set(served_probabilities.argmax(axis=1))) == 10


def test_the_model_is_announced() -> None:
    """The catalogue names the model and its version, and the model the dataset version that it learned from."""
    (status,) = digit_recognition.model_status()
    assert (status.name, status.version, status.ready) == (NAME, read(FOLDER).version, True)
    assert read(FOLDER).dataset.startswith("mnist@")
    assert (FOLDER / FILE).stat().st_size < 1_000_000


def test_the_shipped_model_is_loaded_once() -> None:
    """Outside a run the shipped bundle serves, and a process reads it once."""
    assert DIGITS.loaded() is DIGITS.loaded()
    assert DIGITS.loaded().bundle.folder == FOLDER


def bundle(folder: Path, network: bytes, **card: object) -> Path:
    """A bundle like the shipped one, with this network and these changes of the card."""
    known = json.loads((FOLDER / "card.json").read_text())
    sha256 = hashlib.sha256(network).hexdigest()
    (folder / FILE).write_bytes(network)
    (folder / "card.json").write_text(json.dumps({**known, "version": sha256[:12], "files": {FILE: sha256}, **card}))
    return folder


def test_a_model_of_fewer_digits(tmp_path: Path) -> None:
    """Its card says what the outputs stand for; digits that it does not know have a probability of 0."""
    network = (FOLDER / FILE).read_bytes()
    turned = Reader(bundle(tmp_path, network, digits=[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]))
    picture = np.load(REFERENCE)["pictures"][0]
    assert turned.read(picture).digit == 9 - Reader().read(picture).digit


@pytest.mark.parametrize(
    ("network", "card", "said"),
    [
        (b"none", {}, "not a readable network"),
        ((FOLDER / FILE).read_bytes(), {"digits": [0, 1, 2]}, "has 10 outputs, and its card 3 digits"),
        ((FOLDER / FILE).read_bytes(), {"digits": [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]}, "no digits that a network could"),
        ((FOLDER / FILE).read_bytes(), {"digits": None}, "no digits that a network could"),
    ],
    ids=["no network", "too few digits", "a digit twice", "no digits"],
)
def test_a_bundle_that_cannot_read_digits_is_not_loaded(
    tmp_path: Path, network: bytes, card: dict[str, object], said: str
) -> None:
    """Loading says what is wrong with a bundle before it serves; no picture has to find it out."""
    with pytest.raises(BadBundle, match=said):
        Reader(bundle(tmp_path, network, **card))


def test_another_network_than_its_card_speaks_of(tmp_path: Path) -> None:
    """A network file that was exchanged is not served under the old name."""
    bundle(tmp_path, b"one").joinpath(FILE).write_bytes(b"another")
    with pytest.raises(BadBundle, match="is not the file of its card"):
        Reader(tmp_path)
