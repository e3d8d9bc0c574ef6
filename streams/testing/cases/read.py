"""From `tests:` to cases: their form, with every problem at its place."""

from collections.abc import Iterable, Mapping
from typing import Any

from streams.errors import Problem
from streams.language.definition.model import PipelineSpec
from streams.language.definition.parse import suggest
from streams.language.source.document import Place, written
from streams.messages import Fault
from streams.testing.cases.model import Answer, Answers, Case, Expect, ExpectedFailure, Failing, Giving, Mock

KEYS = ("name", "summary", "input", "mock", "expect", "weather")
FAULTS = tuple(fault.value for fault in Fault if fault is not Fault.DROPPED)
_FAILING = ("fail", "fault", "attempts", "then")
_LONG = ("output", "skipped", "failure")


def read(spec: PipelineSpec) -> tuple[tuple[Case, ...], list[Problem]]:
    """Read the tests of a file, as far as they can be read, and what is wrong with their form."""
    reader = _Reader(spec)
    cases = reader.cases(spec.tests) if spec.tests is not None else ()
    return cases, reader.problems


class _Reader:
    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec
        self.problems: list[Problem] = []
        output = spec.block.output
        self.fields = frozenset(output) if isinstance(output, dict) else frozenset[str]()

    def refuse(self, place: Place, problem: str, hint: str = "") -> None:
        if not self.spec.source.follows(place):
            self.problems.append(self.spec.source.problem(place, problem, hint))

    def cases(self, data: Any) -> tuple[Case, ...]:
        if not isinstance(data, list):
            self.refuse(("tests",), "tests is a list", "- name: what must hold")
            return ()
        cases = [self._case(("tests", at), entry) for at, entry in enumerate(data)]
        names: set[str] = set()
        for case in (entry for entry in cases if entry and entry.name):
            if case.name in names:
                self.refuse((*case.place, "name"), f"another test has the name {case.name!r}", "choose another")
            names.add(case.name)
        return tuple(entry for entry in cases if entry)

    def _case(self, place: Place, data: Any) -> Case | None:
        if not isinstance(data, dict):
            self.refuse(place, "a test is a mapping", "{name: …, input: {…}, mock: {…}, expect: {…}}")
            return None
        self._only(place, data, KEYS)
        name = data.get("name")
        if not isinstance(name, str) or not name.strip():
            self.refuse((*place, "name") if "name" in data else place, "a test needs a name", "say what must hold")
            name = ""
        weather = data.get("weather", "any")
        if weather not in ("any", "fair"):
            self.refuse((*place, "weather"), f"weather is any or fair, not {written(weather)}")
        mocks = self._mocks((*place, "mock"), data.get("mock", {}))
        expect = self._expect((*place, "expect"), data.get("expect", {}))
        return Case(name, place, data, mocks, expect, weather == "fair")

    def _only(self, place: Place, data: Mapping[str, Any], known: Iterable[str]) -> None:
        for key in data:
            if key not in known:
                self.refuse((*place, key), f"unknown key {key!r}", suggest(key, known))

    # Mocks -----------------------------------------------------------------------------------------------------

    def _mocks(self, place: Place, data: Any) -> tuple[Mock, ...]:
        if not isinstance(data, dict):
            self.refuse(place, "mock is a mapping from a node's path to what it gives", "mock: {detect: {faces: []}}")
            return ()
        return tuple(Mock(path, (*place, path), self._answers((*place, path), entry)) for path, entry in data.items())

    def _answers(self, place: Place, data: Any) -> Answer | Answers:
        if not isinstance(data, list):
            return self._answer(place, data)
        if not data:
            self.refuse(place, "an empty list answers nothing", "leave the mock out, or give an answer")
        return Answers(place, tuple(self._answers((*place, at), entry) for at, entry in enumerate(data)))

    def _answer(self, place: Place, data: Any) -> Answer:
        if not (isinstance(data, dict) and "fail" in data and set(data) <= set(_FAILING)):
            return Giving(place, data)
        reason, fault, attempts = data["fail"], data.get("fault", Fault.SERVICE.value), data.get("attempts")
        if not isinstance(reason, str) or not reason:
            self.refuse((*place, "fail"), "fail is the reason, a text", "fail: the disk is full")
            reason = ""
        if fault not in FAULTS:
            self.refuse((*place, "fault"), f"{written(fault)} is no fault", _words(fault, FAULTS))
            fault = Fault.SERVICE.value
        if attempts is not None and (not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1):
            self.refuse((*place, "attempts"), "attempts is how often it fails, a whole number from 1")
            attempts = None
        then = self._answer((*place, "then"), data["then"]) if "then" in data else None
        if then is not None and data.get("attempts") is None:
            self.refuse((*place, "then"), "nothing comes after a failure that never ends", "say `attempts:`")
        return Failing(place, reason, Fault(fault), attempts, then)

    # Expectations ----------------------------------------------------------------------------------------------

    def _expect(self, place: Place, data: Any) -> Expect:
        if not isinstance(data, dict):
            self.refuse(place, "expect is a mapping", "expect: {image: …, skipped: [blur]}")
            return Expect(place, {}, place)
        long = "output" in data and ("output" not in self.fields or set(data) <= set(_LONG))
        output, output_place = (data["output"], (*place, "output")) if long else (data, place)
        if long:
            self._only(place, data, _LONG)
        if not isinstance(output, dict):
            self.refuse(output_place, "the expected output is a mapping from its fields", "output: {image: …}")
            output = {}
        if not long:
            output = {key: value for key, value in data.items() if key not in ("skipped", "failure")}
        skipped = self._skipped((*place, "skipped"), data["skipped"]) if "skipped" in data else None
        failure = self._failure((*place, "failure"), data["failure"]) if "failure" in data else None
        if failure and output:
            self.refuse(failure.place, "a run that fails gives no output", "expect one of the two")
        return Expect(place, output, output_place, skipped, failure)

    def _skipped(self, place: Place, data: Any) -> tuple[str, ...]:
        if not isinstance(data, list) or not all(isinstance(entry, str) for entry in data):
            self.refuse(place, "skipped is a list of nodes", "skipped: [blur]")
            return ()
        return tuple(data)

    def _failure(self, place: Place, data: Any) -> ExpectedFailure:
        if not isinstance(data, dict):
            self.refuse(place, "failure is a mapping", "failure: {fault: service, reason: …, at: blur}")
            return ExpectedFailure(place)
        self._only(place, data, ("fault", "reason", "at"))
        fault = data.get("fault")
        if fault is not None and fault not in FAULTS:
            self.refuse((*place, "fault"), f"{written(fault)} is no fault", _words(fault, FAULTS))
            fault = None
        for key in ("reason", "at"):
            if key in data and not isinstance(data[key], str):
                self.refuse((*place, key), f"{key} is a text")
        texts = {key: data[key] for key in ("reason", "at") if isinstance(data.get(key), str)}
        return ExpectedFailure(place, Fault(fault) if fault else None, **texts)


def _words(word: Any, known: Iterable[str]) -> str:
    return suggest(str(word), known)
