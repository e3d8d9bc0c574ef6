"""A reader's trouble as a value."""

import json

import pytest

from streams.reader_trouble import Trouble

WHOLE = Trouble("flow", "a codec that is not known", 0.0, "pipeline.a.requests", 3, 17)


@pytest.mark.parametrize(
    ("trouble", "where"),
    [
        (WHOLE, "pipeline.a.requests/3@17"),
        (Trouble("flow", "not allowed", 0.0, "pipeline.a.requests"), "pipeline.a.requests"),
        (Trouble("flow", "not allowed", 0.0, "pipeline.a.requests", 0), "pipeline.a.requests/0"),
        (Trouble("flow", "no broker answers", 0.0), "flow"),
    ],
)
def test_it_says_where_as_far_as_that_is_known(trouble: Trouble, where: str) -> None:
    """A person reads who cannot read what, since when, and why."""
    assert trouble.where == where
    assert str(trouble) == f"flow cannot read {where} since 1970-01-01T00:00:00.000Z: {trouble.reason}"


def test_it_comes_through_json() -> None:
    """A health file and an announcement give back what was put in."""
    assert Trouble.from_json(json.loads(json.dumps(WHOLE.to_json()))) == WHOLE
