"""What a change of contracts does to pipelines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.contracts import Contract
from streams.compile.contract_impact import changes, effects
from streams.compile.library import Library, load
from tests.unit.streams.compiling import contract, record

OLD = record("In", {"name": "x", "type": "long"}, {"name": "w", "type": "string", "default": "a", "enum": ["a", "b"]})
OUT = record("Out", {"name": "v", "type": "long"}, {"name": "l", "type": {"type": "array", "items": "long"}})


def contracts(takes: dict[str, Any] = OLD, gives: dict[str, Any] = OUT) -> Mapping[str, Contract]:
    """One service."""
    return {"s": contract("s", takes, gives)}


def library(folder: Path, node: str, output: str = "${a.v}") -> Library:
    """A pipeline `p` with one node."""
    text = f"pipeline: p\ninput: {{n: int}}\nnodes:\n  a: {node}\noutput: {{r: '{output}'}}\n"
    (folder / "p.yaml").write_text(text)
    return load(contracts(), [folder / "p.yaml"])


CALL = "{service: s, with: {x: '${n}', w: a}}"


@pytest.mark.parametrize(
    ("takes", "gives", "problem", "change"),
    [
        (
            record("In", {"name": "x", "type": "string"}, OLD["fields"][1]),
            OUT,
            "int is given, string is expected",
            "s.input.x: was int, is string",
        ),
        (
            record("In", *OLD["fields"], {"name": "y", "type": "long"}),
            OUT,
            "service s needs y (int)",
            "s.input.y: was not there, is int, required",
        ),
        (
            record("In", OLD["fields"][0]),
            OUT,
            "service s has no input 'w'",
            "s.input.w: was string, with a default, is not there",
        ),
        (
            record("In", OLD["fields"][0], {**OLD["fields"][1], "enum": ["b"]}),
            OUT,
            "must be one of b, got the text 'a'",
            "s.input.w: a is no longer accepted",
        ),
        (
            OLD,
            record("Out", {"name": "value", "type": "long"}),
            "undefined field 'v' of {value: int}",
            "s.output.v: was int, required, is not there",
        ),
    ],
)
def test_a_change_that_breaks(
    takes: dict[str, Any], gives: dict[str, Any], problem: str, change: str, tmp_path: Path
) -> None:
    """The pipeline, the place, both types, and what changed in the contract."""
    (effect,) = effects(library(tmp_path, CALL), ["p"], contracts(), contracts(takes, gives))
    assert effect.breaking
    assert effect.pipeline == "p"
    assert problem in effect.problems[0].problem
    assert effect.problems[0].line == 4 if "undefined" not in problem else 5
    assert change in map(str, effect.changes)


def test_a_service_that_is_gone_breaks_its_users(tmp_path: Path) -> None:
    """As an unknown service."""
    (effect,) = effects(library(tmp_path, CALL), ["p"], contracts(), {})
    assert effect.problems[0].problem == "unknown service 's'"
    assert [str(change) for change in effect.changes] == ["s.: was there, is gone"]


def test_a_change_that_breaks_nothing(tmp_path: Path) -> None:
    """A field more, a wider input, a change of what it does not use."""
    takes = record("In", *OLD["fields"], {"name": "y", "type": "long", "default": 1})
    gives = record("Out", {"name": "v", "type": "long"})
    assert effects(library(tmp_path, CALL), ["p"], contracts(), contracts(takes, gives)) == []


def test_an_input_that_takes_less(tmp_path: Path) -> None:
    """Values that are known at run time only may fail: told, but no break."""
    takes = record("In", {**OLD["fields"][0], "maximum": 9}, OLD["fields"][1])
    (effect,) = effects(library(tmp_path, CALL), ["p"], contracts(), contracts(takes))
    assert not effect.breaking
    assert effect.narrowed == ("a gives s x: maximum none became 9",)
    assert [str(change) for change in effect.changes] == ["s.input.x: was maximum none, is maximum 9"]


def test_a_pipeline_that_was_broken_before_is_not_broken_by_the_change(tmp_path: Path) -> None:
    """What did not compile with the old contracts is for lint to say."""
    wrong = "{service: s, with: {x: '${m}'}}"
    assert effects(library(tmp_path, wrong), ["p"], contracts(), contracts(record("In"))) == []


def test_changes_inside_lists(tmp_path: Path) -> None:
    """A place deep inside is named with its path."""
    new = contracts(gives=record("Out", OUT["fields"][0], {"name": "l", "type": {"type": "array", "items": "string"}}))
    assert [str(change) for change in changes("s", contracts(), new)] == ["s.output.l[]: was int, is string"]
