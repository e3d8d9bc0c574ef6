"""Whatever stands in a file of the older format: it becomes a pipeline that compiles, or every reason why not is said."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.contracts import load_contracts
from streams.compile import compile_pipeline
from streams.legacy.convert import convert
from streams.legacy.report import NoCounterpart
from tests.property.effort import effort
from tests.unit.streams.legacy.test_convert import BRANCH, LOOP

CONTRACTS = load_contracts()
SAMPLES = [json.loads(BRANCH), json.loads(LOOP)]
JUNK: list[Any] = [
    None,
    True,
    5,
    -1.5,
    "",
    "x",
    "end",
    "loopEnd",
    "entry.out.image",
    "check.out",
    "node._loop.x[0]",
    "loop.crop.out.result",
    "${x}",
    "a.finished or b.finished",
    "node.out['x'] = entry.out.image",
    "a b c",
    "[" * 50,
    [],
    {},
    ["ok"],
    {"next": ["end"], "out": {"result": "entry.out.image"}},
    {"x": "entry.out.image"},
    {"type": "end", "id": "end"},
]


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value but its root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*place, key)
        yield from places(child, (*place, key))


@effort
@given(data=st.data())
def test_it_is_turned_or_refused(data: st.DataObject) -> None:
    """No file is a fault of the program, and what is written compiles."""
    file = copy.deepcopy(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 3))):
        all_places = list(places(file))
        if not all_places:
            break
        *way, last = data.draw(st.sampled_from(all_places))
        owner = file
        for key in way:
            owner = owner[key]
        if data.draw(st.booleans()):
            owner[last] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
        else:
            del owner[last]
    try:
        converted = convert(json.dumps(file), CONTRACTS)
    except NoCounterpart:
        return
    compile_pipeline(converted, CONTRACTS)
