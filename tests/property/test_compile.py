"""Whatever stands in a file: it compiles and runs, or its author is told what is wrong and where."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from streams.compile import compile_spec
from streams.errors import EvaluationError, PipelineErrors, Problem
from streams.language.definition.model import PipelineSpec
from streams.language.definition.parse import parse
from streams.language.expressions.checker import Checker
from streams.language.expressions.expression import BadExpression
from streams.language.expressions.expression import parse as parse_expression
from streams.language.source.document import Source
from streams.language.types import INT, STRING, Kind, list_of, record_of
from streams.testing.driver import STORM
from tests.property.effort import effort
from tests.property.harness import Watched, check_ending
from tests.property.pipelines import Case, Shape, cases
from tests.property.services import CONTRACTS

JUNK: list[Any] = [
    None,
    True,
    5,
    2.5,
    -1,
    "",
    "x",
    "any",
    "calc",
    "n1",
    "${",
    "${a0 +}",
    "${a0}",
    "${n1}",
    "${first(n1, a0)}",
    "${missing.field}",
    "${[a0].map(x, x / 0)}",
    "${'text'}",
    "a0 > 1",
    "false",
    "inner-0",
    [],
    [1],
    {},
    {"a": 1},
    {"x": "${a0}"},
    {"value": 1},
    {"output": 1},
    {"nodes": {"z": {"value": "${a0}"}}, "output": "${z}"},
    {"use": "${a0}"},
]
KEYS = [
    "wait",
    "when",
    "deadline",
    "on_error",
    "retry",
    "concurrency",
    "max",
    "until",
    "next",
    "with",
    "value",
    "nodes",
]


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value but its root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*place, key)
        yield from places(child, (*place, key))


@st.composite
def spoiled(draw: st.DrawFn) -> Case:
    """A pipeline with one to three things in it replaced, removed or added."""
    case = draw(cases(Shape(any_of=True, deadline=True, nodes=6)))
    data = yaml.safe_load(case.text)
    for _ in range(draw(st.integers(1, 3))):
        all_places = list(places(data))
        if not all_places:
            break
        *path, last = draw(st.sampled_from(all_places))
        parent = data
        for key in path:
            parent = parent[key]
        match draw(st.integers(0, 3)):
            case 0 if isinstance(parent, dict):
                del parent[last]
            case 1 if isinstance(parent, dict):
                parent[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(JUNK)))
            case _:
                parent[last] = copy.deepcopy(draw(st.sampled_from(JUNK)))
    text = yaml.dump(data, sort_keys=False, width=1000, Dumper=yaml.CSafeDumper)
    return Case(str(text), case.library, case.input)


@effort
@given(case=spoiled(), seed=st.integers(0, 2**16))
def test_what_compiles_runs_and_what_does_not_says_why(case: Case, seed: int) -> None:
    """A wrong file is refused with places that it has; any other runs to one end, in any weather."""
    try:
        topology = compile_spec(parse(case.text, "outer.yaml"), CONTRACTS, inner_specs(case))
    except PipelineErrors as error:
        check_problems(error.problems, case)
        return
    inputs = dict.fromkeys(field["name"] for field in topology.input["fields"])
    given = {name: value for name, value in case.input.items() if name in inputs}
    driver = Watched(topology, weather=STORM, seed=seed)
    driver.run({**inputs, **given})
    check_ending(driver, races=True)


def inner_specs(case: Case) -> dict[str, PipelineSpec]:
    """The pipelines that a case may call; they are not spoiled."""
    return {name: parse(text, f"{name}.yaml") for name, text in case.library.items()}


def check_problems(problems: tuple[Problem, ...], case: Case) -> None:
    """There are some, each says something, and stands where its file has text."""
    assert problems
    texts = {"outer": case.text, **case.library}
    lines = {f"{name}.yaml": Source(name, text, None, {}).lines for name, text in texts.items()}
    for problem in problems:
        assert problem.problem
        if problem.line:
            assert 1 <= problem.column <= len(lines[problem.file][problem.line - 1]) + 1, problem


TOKENS = [
    "n",
    "xs",
    "r",
    ".a",
    ".b",
    "[0]",
    "1",
    "2.5",
    "'s'",
    "b'x'",
    "true",
    "null",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "<",
]
TOKENS += [
    "&&",
    "||",
    "!",
    "? ",
    ": ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "first(",
    "size(",
    ".map(x, ",
    ".filter(x, x",
    "x",
]
TOKENS += [
    ".exists(x, x",
    "has(",
    "int(",
    "string(",
    "type(",
    "duration(",
    "timestamp(",
    "math.greatest(",
    "r''",
    "\n",
    "//",
    '"',
]
VALUES = {"n": 3, "xs": [1, 2], "r": {"a": 1, "b": "t"}}
TYPES = {"n": INT, "xs": list_of(INT), "r": record_of({"a": INT, "b": STRING})}


def check_offset(error: BadExpression, text: str) -> None:
    """A fault stands inside the expression or at its end."""
    assert 0 <= error.offset <= len(text)


@effort
@given(tokens=st.lists(st.sampled_from(TOKENS), max_size=9), missing=st.sampled_from([(), ("n",), ("r", "xs")]))
def test_any_expression_has_a_value_or_a_fault(tokens: list[str], missing: tuple[str, ...]) -> None:
    """Whatever stands in an expression: its syntax or its types are refused, or it gives plain data, or it says why not."""
    text = "".join(tokens)
    try:
        expression = parse_expression(text)
        kind = Checker().check(text, TYPES)
    except BadExpression as error:
        check_offset(error, text)
        return
    assert kind.kind in Kind
    assert expression.names <= TYPES.keys()
    values = {name: value for name, value in VALUES.items() if name not in missing}
    try:
        json.dumps(expression.evaluate(values), default=bytes.hex)
    except EvaluationError:
        return
    assert expression.needs.met(expression.names - values.keys()), "it gave a value without what it needs"


@effort
@given(text=st.text(st.sampled_from("abp:{}[]'\"\n -|>#&*!%@,?$\t\x00é0"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text breaks the reader."""
    text = f"pipeline: p\noutput: {{r: 1}}\nsummary: {text}"
    try:
        parse(text, "any.yaml")
    except PipelineErrors as error:
        check_problems(error.problems, Case("", {"any": text}, {}))
