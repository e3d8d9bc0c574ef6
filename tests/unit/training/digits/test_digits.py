"""What is done to digits before a network sees them, and how its answers are judged; none of it needs TensorFlow."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.digits.centre import centred
from training.digits import measure
from training.digits.pictures.data import VALIDATION, Digits, split
from training.digits.pictures.distort import distorted
from training.digits.pictures.drawn import drawn
from training.digits.pictures.scenes import photo
from training.evaluation.probabilities import calibration_error, softmax, temperature

ROOT = Path(__file__).parents[4]


def _random(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_drawn_digits_stand_as_those_of_mnist() -> None:
    """Drawn digits are of all ten kinds, 20 pixels at the longer side, with their mass in the middle; a seed gives them again."""
    digits = drawn(200, _random())
    assert set(digits.labels.tolist()) == set(range(10))
    rows, columns = digits.pictures.any(axis=2).sum(axis=1), digits.pictures.any(axis=1).sum(axis=1)
    assert set(np.maximum(rows, columns).tolist()) <= {19, 20}
    mass = digits.pictures.astype(float)
    middle = (mass.sum(axis=2) * np.arange(28)).sum(axis=1) / mass.sum(axis=(1, 2))
    assert float(np.abs(middle - 14).max()) <= 1
    assert (drawn(200, _random()).pictures == digits.pictures).all()


def test_distortion_changes_the_form_and_not_the_range() -> None:
    """A picture is another one each time, the same for the same seed, within 0 to 1, and still has its ink."""
    pictures = drawn(50, _random()).pictures
    changed = distorted(pictures, _random())
    assert changed.shape == pictures.shape
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    assert (changed == distorted(pictures, _random())).all()
    assert not (changed == distorted(pictures, _random(4))).all()
    share = changed.sum(axis=(1, 2)) * 255 / pictures.sum(axis=(1, 2))
    assert float(share.min()) > 0.3
    assert float(share.max()) < 2.2


def test_a_photo_has_dark_ink_on_light_paper() -> None:
    """What is composed as a photo is darker where the digit is."""
    composed = photo(drawn(1, _random()).pictures[0], _random())
    assert min(composed.shape) >= 200
    assert int(composed.min()) < 120
    assert float(np.median(composed)) > 120


def test_no_ink_is_no_digit() -> None:
    """An empty picture has nothing to centre."""
    assert centred(np.zeros((40, 40), np.uint8)) is None


@pytest.mark.data
def test_the_split_is_honest(mnist: Path) -> None:
    """No picture is in two sets, as many of each digit are kept to choose by, and MNIST's own test set is the test set."""
    sets = split(mnist, 5)
    assert (len(sets.train), len(sets.validation), len(sets.test)) == (55_000, 5_000, 10_000)
    assert np.bincount(sets.validation.labels).tolist() == [VALIDATION] * 10
    assert np.bincount(sets.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    together = np.bincount(sets.train.labels) + np.bincount(sets.validation.labels)
    assert together.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    kept, again = _hashes(sets.validation), _hashes(split(mnist, 5).validation)
    assert kept == again
    assert not kept & _hashes(sets.train)


@pytest.mark.data
def test_mnist_comes_back_as_it_is(mnist: Path) -> None:
    """What centres a digit for the service gives MNIST's own pictures back nearly unchanged."""
    pictures = split(mnist, 5).validation.pictures[::25]
    centred_again = np.stack([square for square in map(centred, pictures) if square is not None])
    assert float(np.abs(centred_again.astype(int) - pictures).mean()) < 0.5


def test_intervals() -> None:
    """Wilson's interval, as the literature has it, also at the end of the scale."""
    low, high = measure.Share(95, 100).interval
    assert (round(low, 4), round(high, 4)) == (0.8882, 0.9785)
    low, high = measure.Share(10, 10).interval
    assert round(low, 4) == 0.7225
    assert high == pytest.approx(1)


def test_the_temperature_calibrates() -> None:
    """Logits that are too sure by a known factor are brought back, and the calibration error falls."""
    random = _random()
    logits = random.normal(0, 2, (5000, 10))
    chances = softmax(logits)
    labels = np.array([random.choice(10, p=row) for row in chances])
    fitted = temperature(logits * 2.5, labels, floor=measure.FLOOR)
    assert fitted == pytest.approx(2.5, rel=0.1)
    sure, right = softmax(logits * 2.5), softmax(logits * 2.5 / fitted)
    assert calibration_error(right, labels, bins=15) < 0.03 < calibration_error(sure, labels, bins=15)
    assert measure.confusion(right, labels).sum() == 5000


def test_serving_installs_no_tensorflow() -> None:
    """In the lock file, TensorFlow is reached from the group `train` and from nothing else."""
    packages = {
        package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    }
    ours = packages["millrace"]
    groups = dict(ours["dev-dependencies"])
    assert "tensorflow-cpu" in _reached(packages, groups.pop("train"))
    served = [ours["dependencies"], *ours["optional-dependencies"].values(), *groups.values()]
    assert "tensorflow-cpu" not in _reached(packages, [dependency for group in served for dependency in group])


def _reached(packages: dict[str, Any], first: list[dict[str, Any]]) -> set[str]:
    seen: set[str] = set()
    waiting = [dependency["name"] for dependency in first]
    while waiting:
        name = waiting.pop()
        if name not in seen and name != "millrace":
            seen.add(name)
            waiting += [dependency["name"] for dependency in packages[name].get("dependencies", [])]
    return seen


def _hashes(digits: Digits) -> set[bytes]:
    return {picture.tobytes() for picture in digits.pictures}
