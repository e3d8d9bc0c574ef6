"""Random Avro records: a schema of ours and a value of it."""

from itertools import count
from typing import Any

from hypothesis import strategies as st

Pair = tuple[Any, st.SearchStrategy[Any]]
"""A schema and the strategy of its values."""

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LONGS = st.integers(-(2**63), 2**63 - 1)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | LONGS | DOUBLES | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
REFS = st.fixed_dictionaries(
    {
        "bucket": st.just("millrace"),
        "key": TEXT,
        "size": st.integers(0, 2**40),
        "sha256": st.text("0123456789abcdef", min_size=64, max_size=64),
        "media_type": st.sampled_from(["image/jpeg", "image/png"]),
    }
)
_LEAVES: list[Pair] = [
    ("boolean", st.booleans()),
    ("int", st.integers(-(2**31), 2**31 - 1)),
    ("long", LONGS),
    ("double", DOUBLES),
    ("string", TEXT),
    ("bytes", st.binary(max_size=8)),
    ("millrace.Value", VALUES),
    ("millrace.Ref", REFS),
]


@st.composite
def records(draw: st.DrawFn, depth: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record schema with fields of every kind, and a value of it."""
    schema, values = _record(draw, depth, count(), least=0)
    return schema, draw(values)


def _record(draw: st.DrawFn, depth: int, number: "count[int]", least: int = 1) -> Pair:
    """Inner records have a field at least: a list of what takes no bytes is refused."""
    pairs = [_pair(draw, depth, number) for _ in range(draw(st.integers(least, 4)))]
    fields = [{"name": f"f{index}", "type": schema} for index, (schema, _) in enumerate(pairs)]
    values = st.fixed_dictionaries({f"f{index}": strategy for index, (_, strategy) in enumerate(pairs)})
    return {"type": "record", "name": f"millrace.R{next(number)}", "fields": fields}, values


def _pair(draw: st.DrawFn, depth: int, number: "count[int]") -> Pair:
    kind = draw(st.sampled_from(["leaf", "array", "map", "optional", "record", "enum"] if depth else ["leaf"]))
    if kind == "leaf":
        return draw(st.sampled_from(_LEAVES))
    if kind == "enum":
        symbols = ["red", "green", "blue"]
        return {"type": "enum", "name": f"millrace.E{next(number)}", "symbols": symbols}, st.sampled_from(symbols)
    if kind == "record":
        return _record(draw, depth - 1, number)
    schema, values = _pair(draw, depth - 1, number)
    if kind == "array":
        return {"type": "array", "items": schema}, st.lists(values, max_size=3)
    if kind == "map":
        return {"type": "map", "values": schema}, st.dictionaries(TEXT, values, max_size=3)
    if kind == "optional" and not isinstance(schema, list) and schema != "millrace.Value":
        return ["null", schema], st.none() | values
    return schema, values
