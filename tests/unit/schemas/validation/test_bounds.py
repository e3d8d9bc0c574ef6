"""Whether a schema takes less than the one before."""

from typing import Any

import pytest

from schemas.validation import bounds

AREA = {"type": "record", "name": "n.Area", "fields": [{"name": "x", "type": "long"}]}
NARROW = {"type": "record", "name": "n.Area", "fields": [{"name": "x", "type": "long", "minimum": 0}]}


def record(kind: Any = "long", **more: Any) -> dict[str, Any]:
    """A record with one field."""
    return {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": kind, **more}]}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (record(), record(minimum=1), ["a: minimum none became 1"]),
        (record(minimum=1), record(minimum=2), ["a: minimum 1 became 2"]),
        (record(maximum=9), record(maximum=8.5), ["a: maximum 9 became 8.5"]),
        (record("string"), record("string", enum=["x", "y"]), ["a: any value became one of x, y"]),
        (record("string", enum=["x", "y", "z"]), record("string", enum=["y"]), ["a: x, z is no longer accepted"]),
        (
            record({"type": "array", "items": AREA}),
            record({"type": "array", "items": NARROW}),
            ["a[].x: minimum none became 0"],
        ),
        (
            record({"type": "map", "values": AREA}),
            record({"type": "map", "values": NARROW}),
            ["a{}.x: minimum none became 0"],
        ),
        (record("string"), record("bytes"), ["a: a text became bytes in base64"]),
        (record(["null", "string"]), record(["null", "bytes"]), ["a: a text became bytes in base64"]),
        (
            record({"type": "array", "items": "string"}),
            record({"type": "array", "items": "bytes"}),
            ["a[]: a text became bytes in base64"],
        ),
        (record(["null", AREA]), record(["null", NARROW]), ["a.x: minimum none became 0"]),
        (record(AREA), record(["null", NARROW]), ["a.x: minimum none became 0"]),
        (
            record(minimum=0, maximum=9),
            record(minimum=1, maximum=8),
            ["a: minimum 0 became 1", "a: maximum 9 became 8"],
        ),
    ],
)
def test_narrower_bounds_take_less(old: Any, new: Any, said: list[str]) -> None:
    """A bound that is new or closer, a word that is gone, at any depth; each with its place."""
    assert bounds.tightened(new, old) == said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (record(minimum=1), record()),
        (record(minimum=1, maximum=5), record(minimum=0, maximum=6)),
        (record("string"), record(["null", "bytes", "string"])),
        (record("string", enum=["x"]), record("string", enum=["x", "y"])),
        (record("string", enum=["x"]), record("string")),
        (record({"type": "array", "items": NARROW}), record({"type": "array", "items": AREA})),
        (record(AREA), record("long")),
        (record("millrace.Ref"), record("millrace.Ref")),
    ],
)
def test_wider_bounds_take_no_less(old: Any, new: Any) -> None:
    """A bound that is gone or wider; of what is of another type, others tell."""
    assert bounds.tightened(new, old) == []
