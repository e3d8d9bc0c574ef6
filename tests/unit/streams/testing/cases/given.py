"""What tests of tests share: a pipeline, its suite, and what came of it."""

from pathlib import Path

from streams.language.definition.parse import parse
from streams.testing.cases.suite import Outcome, Suite, examine, run
from tests.unit.streams.compiling import CONTRACTS, library

PIPELINE = """\
pipeline: p
input: {photo: image, n: {type: int, minimum: 1, default: 2}}
nodes:
  a: {service: detect, with: {image: "${photo}"}}
  many:
    each: {face: "${a.faces}"}
    nodes:
      b: {service: calc, with: {x: "${index}"}}
    output: "${b.v}"
  c: {service: calc, with: {x: "${n}"}, when: n > 2, retry: {attempts: 2}}
  d: {value: "${n + 1}"}
output: {many: "${many}", c: "${first(c.v, 0)}", d: "${d}", photo: "${photo}"}
"""


def suite(tests: str, pipeline: str = PIPELINE, folder: Path | None = None, inner: str = "") -> Suite:
    """The examined tests of a pipeline."""
    spec = parse(f"{pipeline}tests:\n{tests}", "p.yaml")
    return examine(spec, CONTRACTS, library(inner) if inner else {}, folder)


def problems(tests: str, pipeline: str = PIPELINE, folder: Path | None = None) -> list[str]:
    """What is wrong with tests, without the file's name; lines count from the first test."""
    above = pipeline.count("\n") + 1
    found = suite(tests, pipeline, folder).problems
    return [f"{one.line - above}:{one.column} {str(one).partition(': ')[2]}" for one in found]


def outcome(test: str, pipeline: str = PIPELINE, storms: int = 6, inner: str = "") -> Outcome:
    """How the one test of a pipeline ended."""
    made = suite(test, pipeline, inner=inner)
    assert made.problems == ()
    (ready,) = made.ready
    return run(made, ready, 0, storms)


def said(test: str, pipeline: str = PIPELINE, inner: str = "") -> list[str]:
    """What a test that fails says."""
    return [str(one).partition(": ")[2] for one in outcome(test, pipeline, inner=inner).problems]
