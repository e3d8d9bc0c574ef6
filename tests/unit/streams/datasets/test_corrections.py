"""From corrections to the next version of a dataset."""

from dataclasses import replace
from typing import Any

from schemas.refs import Ref
from streams.datasets.corrections import Correction, examples, extend, published
from streams.datasets.manifest import DatasetFile, manifest, parse

BASE = manifest(
    "digits", [DatasetFile("digits/train", "a" * 64, "CC0", ""), DatasetFile("digits/test", "b" * 64, "CC0", "")]
)
HELD = frozenset({"b" * 64, "test-pixels"})


def sha(letter: str) -> str:
    """A hash."""
    return letter * 64


def correction(letter: str, label: Any, **changes: Any) -> Correction:
    """A correction of a prediction on the input with this hash."""
    kept = Ref("millrace", f"datasets/objects/{sha(letter)}", 9, sha(letter), "image/png")
    made = Correction(
        f"p-{letter}", "digit-recognition", "mnist 1", 3, label, "local", "2026-11-21T10:00:00+00:00", kept
    )
    return replace(made, **changes)


def prints(*letters: str) -> dict[str, frozenset[str]]:
    """What ordinary inputs are known by."""
    return {sha(letter): frozenset({sha(letter), f"pixels-{letter}"}) for letter in letters}


def test_the_same_corrections_give_the_same_version() -> None:
    """Neither their order, nor who made them, nor when, changes the version; a label or an input does."""
    first, second = correction("c", 7), correction("d", 1)
    made = extend(BASE, [first, second], prints("c", "d"), HELD)
    assert made.added == 2
    assert made.manifest.name == "digits"
    other = [second, replace(first, author="somebody", at="later", prediction="p-x")]
    assert extend(BASE, other, prints("c", "d"), HELD).manifest.version == made.manifest.version
    versions = {
        extend(BASE, given, prints("c", "d"), HELD).manifest.version
        for given in ([], [first], [second], [first, second], [replace(first, label=8), second])
    }
    assert len(versions) == 5
    assert BASE.version in versions


def test_the_version_says_where_its_examples_are_from() -> None:
    """Labels come back as they were given, and each example names the prediction, the model, the person and the time."""
    labels = [7, 0.5, "neutrophil", "a/b c", True]
    given = [correction(letter, label) for letter, label in zip("cdef0", labels, strict=True)]
    made = extend(BASE, given, prints(*"cdef0"), HELD)
    again = parse(made.manifest.to_json(), "here")
    found = {file.sha256: label for label, file in examples(again)}
    assert [found[sha(letter)] for letter in "cdef0"] == labels
    (source,) = [file.source for label, file in examples(again) if label == 7]
    assert source == "prediction p-c of digit-recognition: mnist 1 said 3, local 7 at 2026-11-21T10:00:00+00:00"
    assert published(again) == BASE


def test_the_last_correction_of_an_input_counts() -> None:
    """Two predictions on one picture that were corrected differently give one example, of the later one."""
    made = extend(BASE, [correction("c", 7), correction("c", 1, prediction="p-later")], prints("c"), HELD)
    assert [label for label, _ in examples(made.manifest)] == [1]
    assert [(one.prediction, one.reason) for one in made.left] == [("p-c", "a later correction is of the same input")]


def test_test_pictures_never_get_into_the_training() -> None:
    """A test picture is left out by its file, by its pixels, and when the input was only cut from one."""
    by_pixels = {sha("c"): frozenset({sha("c"), "test-pixels"})}
    gone, packed, honest = (correction(letter, 7).kept for letter in "bcf")
    given = [
        correction("b", 7),
        correction("c", 7),
        correction("d", 7, inputs=(gone,)),
        correction("e", 7, inputs=(packed,)),
        correction("f", 7, inputs=(honest,)),
    ]
    made = extend(BASE, given, {**prints(*"bdef"), **by_pixels}, HELD)
    assert made.added == 1
    assert made.reasons == {
        "its input is a test picture of the dataset": 2,
        "its input was made of a test picture of the dataset": 2,
    }


def test_a_correction_without_its_input_is_left_out() -> None:
    """A correction without a kept input, or whose input was removed, gives no example, and says why."""
    made = extend(BASE, [correction("c", 7, kept=None), correction("d", 7)], prints(), HELD)
    assert made.manifest == BASE
    assert len(made.reasons) == 2
