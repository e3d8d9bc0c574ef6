"""Where two values differ."""

from typing import Any

import pytest

from streams.testing.cases.differences import differences
from streams.testing.cases.pictures import Pictures


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, 1.0),
        (0.3, 0.1 + 0.2),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ("x", "x"),
        (True, True),
    ],
)
def test_equal_values_have_no_differences(expected: Any, actual: Any) -> None:
    """Numbers by their value, floats but for their last digits, the rest exactly."""
    assert list(differences(expected, actual, {})) == []


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        (1, 2, [((), "1", "2")]),
        (1, True, [((), "1", "true")]),
        ("1", 1, [((), '"1"', "1")]),
        ([1, 2], [1], [((1,), "2", "nothing")]),
        ([1], [1, 2], [((1,), "nothing", "2")]),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, [(("a",), "1", "nothing"), (("b",), "2", "3"), (("c",), "nothing", "4")]),
        ({"a": [{"b": 1}]}, {"a": [{"b": None}]}, [(("a", 0, "b"), "1", "null")]),
        ([], {}, [((), "[]", "{}")]),
        ("a" * 500, "", [((), '"' + "a" * 118 + "…", '""')]),
    ],
)
def test_every_difference_has_its_place(expected: Any, actual: Any, said: list[Any]) -> None:
    """Each leaf that differs, with both sides, shortened where they are long."""
    assert [(one.place, one.expected, one.actual) for one in differences(expected, actual, {})] == said


def test_pictures_are_called_as_in_the_test() -> None:
    """Not by hashes, where the test gave them a name."""
    pictures = Pictures(None)
    one, other = pictures.ref("image:one"), pictures.ref("image:other")
    (found,) = differences({"a": one}, {"a": other}, pictures.names)
    assert (found.expected, found.actual) == ('"image:one"', '"image:other"')
    (found,) = differences(one, 5, {})
    assert found.expected == f'"image {one["sha256"][:12]}"'
