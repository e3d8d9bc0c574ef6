"""Where two outputs differ."""

from typing import Any

import pytest

from streams.flow.output_diff import ABSENT, differences, short

REF = {"bucket": "b", "key": "runs/1/x", "size": 3, "sha256": "a" * 64, "media_type": "image/png"}


def test_equal_outputs() -> None:
    """What is the same gives nothing, also objects that lie at two places."""
    active = {"a": [1, 2.5, None], "image": REF}
    assert differences(active, {"a": [1, 2.5, None], "image": {**REF, "key": "runs/2/x"}}) == []


@pytest.mark.parametrize(
    ("active", "candidate", "paths"),
    [
        ({"a": 1}, {"a": 2}, ["$.a"]),
        ({"a": 1}, {"a": True}, ["$.a"]),
        ({"a": 1}, {"b": 1}, ["$.a", "$.b"]),
        ({"a": [{"x": 1}, {"x": 2}]}, {"a": [{"x": 1}, {"x": 3}, {"x": 4}]}, ["$.a[1].x", "$.a[2]"]),
        ({"image": REF}, {"image": {**REF, "sha256": "b" * 64}}, ["$.image"]),
        ({"a": {"b": 1}}, {"a": [1]}, ["$.a"]),
        (None, {"a": 1}, ["$"]),
    ],
)
def test_paths(active: Any, candidate: Any, paths: list[str]) -> None:
    """Each place that differs is named once, in the order of the fields."""
    assert [difference.path for difference in differences(active, candidate)] == paths


def test_a_difference_is_shown_in_short() -> None:
    """Values are told in short, and not without end."""
    (difference,) = differences({"a": "x" * 5000}, {"a": None})
    assert len(difference.active) == 120
    assert difference.candidate == "null"
    assert differences({"a": 1}, {})[0].candidate == ABSENT
    assert len(differences(list(range(500)), [])) == 50
    assert short({"a": 1}) == '{"a": 1}'
