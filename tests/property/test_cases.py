"""Whatever stands under `tests:`: it is run to its end, or its author is told what is wrong and where."""

import copy
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas.contracts import load_contracts
from streams.compile.library import shipped
from streams.language.definition.parse import parse
from streams.testing.cases.suite import examine, run
from tests.property.effort import effort
from tests.property.test_older import places

CONTRACTS = load_contracts()
LIBRARY = shipped()
JUNK: list[Any] = [
    None,
    True,
    3,
    0.5,
    "",
    "x",
    "image:x",
    "file:x",
    "${photo}",
    "${given.image}",
    "${",
    "${[][0]}",
    [],
    {},
    [{}],
    [[{}]],
    {"fail": "away"},
    {"fail": "away", "attempts": 1, "then": {}},
    {"fail": "away", "fault": "caller"},
    {"image": "image:x"},
    {"faces": [{}]},
    ["blur", "detect"],
    {"output": {}, "skipped": []},
    {"failure": {}},
]


@effort
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_a_test_is_run_or_refused(data: st.DataObject, seed: int) -> None:
    """No test is a fault of the program: each problem has its place, and what has none ends in every weather."""
    spec = LIBRARY[data.draw(st.sampled_from(sorted(LIBRARY)))]
    file = copy.deepcopy(spec.source.data)
    for _ in range(data.draw(st.integers(1, 2))):
        everywhere = list(places(file["tests"])) if isinstance(file["tests"], list | dict) else []
        *way, last = data.draw(st.sampled_from([(), *everywhere])) or ("tests",)
        owner = file if [last] == ["tests"] and not way else file["tests"]
        for key in way:
            owner = owner[key]
        if data.draw(st.booleans()) or owner is file:
            owner[last] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
        else:
            del owner[last]
    suite = examine(parse(yaml.safe_dump(file, sort_keys=False), "spoiled.yaml"), CONTRACTS, LIBRARY)
    assert all(problem.line for problem in suite.problems)
    if suite.problems:
        return
    for ready in suite.ready:
        run(suite, ready, seed, storms=1)
