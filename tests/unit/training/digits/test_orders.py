"""What can be ordered of a digit model, and what is made of it before a network learns; none of it needs TensorFlow."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.digits.bundle import FOLDER, NAME
from training.digits.measure import figures
from training.digits.options import choice
from training.digits.pictures.data import split
from training.digits.pictures.drawn import drawn
from training.digits.pictures.examples import REPEAT, examples
from training.part import REPOSITORY, BadOrder
from training.parts import PARTS


def test_a_model_is_named_after_its_digits() -> None:
    """In whatever order they are given; none given means all ten, which are the shipped model's."""
    assert choice({"digits": "2, 0,1"}).name == "mnist_model_012"
    assert choice({"digits": "2,0,1"}).digits == (0, 1, 2)
    assert choice({}).name == NAME
    assert choice({"pictures": "100"}).pictures == 100


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"digits": "7"}, "is one digit"),
        ({"digits": "1,1"}, "names a digit twice"),
        ({"digits": "1,12"}, "is no list of digits"),
        ({"digits": ""}, "digits: none is given, and a model tells at least two apart"),
        ({"digits": "1,²"}, "is no list of digits"),
        ({"digits": "0,1", "pictures": "9"}, "must be 10 or more"),
        ({"digits": "0,1", "pictures": "many"}, "must be 10 or more"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(options: dict[str, str], said: str) -> None:
    """An order that makes no sense is refused with the option and its value."""
    with pytest.raises(BadOrder, match=said):
        choice(options)


def test_the_card_names_digits_that_a_model_does_not_know() -> None:
    """The card of a model of few digits names those that it reads wrongly."""
    claims = choice({"digits": "0,1,2,3,4,5,6"}).claims
    assert (
        claims
        == "Reads 0, 1, 2, 3, 4, 5, 6. It does not know 7, 8, 9, and reads each as one that it knows: always wrongly."
    )


def test_drawn_digits_are_of_the_kinds_that_are_learned() -> None:
    """A model of two digits is shown no third one."""
    assert set(drawn(50, np.random.default_rng(1), (3, 8)).labels.tolist()) == {3, 8}


@pytest.mark.data
def test_a_split_of_few_digits(mnist: Path) -> None:
    """What is learned from has only the digits that are asked for; the test set has all ten; the validation set is the same part."""
    few, whole = split(mnist, 5, (3, 8), 100), split(mnist, 5)
    assert np.bincount(few.train.labels).tolist() == [0, 0, 0, 100, 0, 0, 0, 0, 100]
    assert len(few.test) == 10_000
    threes = whole.validation.labels == 3
    assert (few.validation.pictures[few.validation.labels == 3] == whole.validation.pictures[threes]).all()


@pytest.mark.data
def test_digits_that_are_not_known_count_as_wrong(mnist: Path) -> None:
    """Accuracy is told on what a model knows and on all; how often it is sure of what it cannot know is told as well."""
    test = split(mnist, 5, (0, 1), 10).test
    trained = np.full((len(test), 2), [0.95, 0.05])
    probabilities = np.zeros((len(test), 10))
    probabilities[:, :2] = trained
    metrics = figures(probabilities, trained, test, (0, 1))
    assert metrics["accuracy"]["mnist-test"]["of"] == 980 + 1135
    assert metrics["accuracy"]["mnist-test"]["right"] == 980
    assert metrics["accuracy"]["mnist-test-all"]["of"] == 10_000
    assert metrics["unknown_but_sure"]["right"] == 10_000 - 980 - 1135
    assert metrics["recall"][7]["right"] == 0


def test_corrections_are_learned_from_as_the_service_sees_them() -> None:
    """A corrected picture is centred like any other and repeated; a blank one, and a digit that is not asked for, are left out."""
    corrections = examples([(7, _picture(7)), (3, _picture(3)), (7, _blank())], (5, 7))
    assert (corrections.used, corrections.left) == (1, 2)
    assert corrections.digits.labels.tolist() == [7] * REPEAT
    assert corrections.digits.pictures.shape == (REPEAT, 28, 28)
    assert examples([], (5, 7)).digits.pictures.shape == (0, 28, 28)


def test_the_shipped_bundle_is_where_the_service_looks() -> None:
    """Shipping writes where the slot reads."""
    assert REPOSITORY / PARTS["digits"].shipped == FOLDER


def _picture(digit: int) -> bytes:
    random = np.random.default_rng(digit)
    return _png(np.pad(255 - drawn(1, random, (digit,)).pictures[0], 20, constant_values=255))


def _blank() -> bytes:
    return _png(np.full((60, 60), 255, np.uint8))


def _png(grey: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> bytes:
    out = BytesIO()
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()
