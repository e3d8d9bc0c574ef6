"""All tests of a file: examined, then each run in fair weather and in several bad ones."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.contracts import Contract
from streams.compile.pipeline import EMPTY, Library, check, topology
from streams.errors import Problem
from streams.language.definition.model import PipelineSpec
from streams.language.topology import Topology
from streams.testing.cases.check import Checker, Ready
from streams.testing.cases.model import Case
from streams.testing.cases.pictures import Pictures
from streams.testing.cases.read import read
from streams.testing.cases.runner import Mocked, NoAnswer
from streams.testing.cases.verdict import verdict
from streams.testing.driver import FAIR, STORM, Weather
from streams.testing.round_trip import Coder

STORMS = 4
"""In how many bad weathers a test runs beside the fair one, when nobody says."""


@dataclass(frozen=True)
class Suite:
    """The tests of one file. Those in `ready` can run; `problems` holds all that is wrong with the file and its tests."""

    spec: PipelineSpec
    pictures: Pictures
    cases: tuple[Case, ...]
    ready: tuple[Ready, ...]
    topology: Topology | None
    coder: Coder | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Outcome:
    """How one test ended. `seed` is that of the weather in which it failed, None for fair weather."""

    spec: PipelineSpec
    case: Case
    problems: tuple[Problem, ...]
    weathers: int
    """How many it was run in."""
    seed: int | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether it held in every weather."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the form that `test --output json` prints."""
        line, column = self.spec.source.marks.get(self.case.place, (0, 0))
        return {
            "pipeline": self.spec.name,
            "test": self.case.name,
            "file": self.spec.source.file,
            "line": line,
            "column": column,
            "passed": self.passed,
            "problems": [problem.to_json() for problem in self.problems],
            "weathers": self.weathers,
            "seed": self.seed,
            "milliseconds": round(self.seconds * 1000, 3),
        }

    def __str__(self) -> str:
        """Return a line with the result, and below it a line for each problem."""
        word = "ok  " if self.passed else "FAIL"
        head = f"{word} {self.spec.name}: {self.case.name} ({self.seconds * 1000:.0f} ms)"
        weather = [] if self.seed is None else [f"     in bad weather only: --storms 1 --seed {self.seed}"]
        return "\n".join((head, *(f"     {problem}" for problem in self.problems), *weather))


def examine(
    spec: PipelineSpec, contracts: Mapping[str, Contract], library: Library = EMPTY, folder: Path | None = None
) -> Suite:
    """Check the tests of a file with the file itself; `folder` is where its `file:` pictures are."""
    compiler, output = check(spec, contracts, library)
    cases, problems = read(spec)
    checker = Checker(spec, compiler, output, Pictures(folder))
    ready = [case for case in map(checker.check, cases) if case]
    compiled = None if compiler.problems else topology(spec, compiler, output)
    everything = sorted({*compiler.problems, *problems, *checker.problems})
    coder = Coder(compiled) if compiled else None
    return Suite(spec, checker.pictures, cases, tuple(ready), compiled, coder, tuple(everything))


def run(suite: Suite, ready: Ready, seed: int, storms: int = STORMS) -> Outcome:
    """Run one test until it fails. The same seed is the same weather. Needs a suite without problems."""
    begin = time.perf_counter()
    done = 0
    for weather, number in _weathers(0 if ready.case.fair else storms, seed):
        done += 1
        problems = _once(suite, ready, weather, number or 0)
        if problems:
            return Outcome(suite.spec, ready.case, tuple(problems), done, number, time.perf_counter() - begin)
    return Outcome(suite.spec, ready.case, (), done, None, time.perf_counter() - begin)


def _weathers(storms: int, seed: int) -> Iterator[tuple[Weather, int | None]]:
    yield FAIR, None
    for number in range(storms):
        yield STORM, seed + number


def _once(suite: Suite, ready: Ready, weather: Weather, seed: int) -> list[Problem]:
    compiled, coder = suite.topology, suite.coder
    assert compiled is not None
    assert coder is not None
    services = dict.fromkeys(compiled.services, _never)
    driver = Mocked(
        compiled,
        services,
        weather,
        seed,
        coder,
        spec=suite.spec,
        ready=ready,
        pictures=suite.pictures,
        coder=coder,
    )
    try:
        seen = driver.run(ready.input)
    except NoAnswer as error:
        return [error.problem]
    return verdict(suite.spec, compiled, ready, seen, suite.pictures.names)


def _never(call_input: Mapping[str, object]) -> Mapping[str, object]:
    raise AssertionError(f"mocks answer before a service is asked for {call_input}")
