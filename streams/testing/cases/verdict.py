"""Whether a run gave what its test expects: every difference, at its place in the file."""

from collections.abc import Iterator, Mapping
from typing import Any

from streams.errors import EvaluationError, Problem
from streams.language import template
from streams.language.definition.model import PipelineSpec
from streams.language.source.document import Place
from streams.language.topology import Topology
from streams.messages import Event, EventKind, Fault
from streams.testing.cases import places
from streams.testing.cases.check import Ready
from streams.testing.cases.differences import differences, shown
from streams.testing.cases.model import ExpectedFailure
from streams.testing.driver import Seen


def verdict(
    spec: PipelineSpec, topology: Topology, ready: Ready, seen: Seen, names: Mapping[str, str]
) -> list[Problem]:
    """List what is not as expected; nothing when the test holds. `names` says what pictures are called."""
    judge = _Judge(spec, topology, ready, seen, names)
    return [spec.source.problem(place, problem, hint) for place, problem, hint in judge.all()]


class _Judge:
    def __init__(
        self, spec: PipelineSpec, topology: Topology, ready: Ready, seen: Seen, names: Mapping[str, str]
    ) -> None:
        self.topology = topology
        self.ready = ready
        self.case = ready.case
        self.events = seen.client_events()
        self.end = seen.end
        self.names = names

    def all(self) -> Iterator[tuple[Place, str, str]]:
        expect = self.case.expect
        if self.end is None:
            yield self.case.place, "the run did not end", ""
        elif expect.failure:
            yield from self._failure(expect.failure, self.end)
        elif self.end.kind is not EventKind.RUN_FINISHED:
            yield self.case.place, f"the run failed: {_failed(self.end)}", "expect.failure if it should"
        else:
            yield from self._output(self.end.data["output"])
        if expect.skipped is not None and self.end is not None:
            yield from self._skipped(expect.skipped, whole=self.end.kind is EventKind.RUN_FINISHED)

    def _failure(self, expected: ExpectedFailure, end: Event) -> Iterator[tuple[Place, str, str]]:
        if end.kind is EventKind.RUN_FINISHED:
            output = shown(end.data["output"], self.names)
            yield expected.place, f"expected a failure, the run finished with {output}", ""
            return
        data = end.data
        if expected.fault and data.get("fault") != expected.fault:
            yield (*expected.place, "fault"), f"expected {expected.fault}, got {_failed(end)}", ""
        if expected.reason and expected.reason not in str(data.get("reason", "")):
            yield (*expected.place, "reason"), f"expected a reason with {expected.reason!r}, got {_failed(end)}", ""
        if expected.at and not places.matches(expected.at, str(data.get("at", ""))):
            yield (*expected.place, "at"), f"expected a failure at {expected.at}, got {_failed(end)}", ""

    def _output(self, output: Mapping[str, Any]) -> Iterator[tuple[Place, str, str]]:
        known = self._values()
        for name, expression in self.ready.output.items():
            place = (*self.case.expect.output_place, name)
            needed = template.needs(expression)
            missing = frozenset(needed.read() - known.keys())
            if not needed.met(missing):
                yield place, f"this reads {', '.join(sorted(missing))}, which gave no value in this run", ""
                continue
            try:
                expected = template.evaluate(expression, known)
            except EvaluationError as error:
                yield place, str(error), error.hint
                continue
            for difference in differences(expected, output.get(name), self.names):
                yield (*place, *difference.place), f"expected {difference.expected}, got {difference.actual}", ""

    def _values(self) -> dict[str, Any]:
        """Return what the pipeline's own output could read: inputs, and the values of its nodes."""
        outputs = {
            event.vertex: event.data["output"]
            for event in self.events
            if event.kind is EventKind.FINISHED and not event.at
        }
        return {**self.ready.input, **outputs}

    def _skipped(self, expected: tuple[str, ...], whole: bool) -> Iterator[tuple[Place, str, str]]:
        """Compare the skips; `whole`: there must be no others. A failed run skips more for that reason, which no test lists."""
        actual = {event.path: str(event.data["reason"]) for event in self.events if event.kind is EventKind.SKIPPED}
        actual |= {
            event.path: "it failed"
            for event in self.events
            if event.kind is EventKind.FAILED and event.data.get("on_error") == "skip"
        }
        place = (*self.case.expect.place, "skipped")
        for at, pattern in enumerate(expected):
            if not any(places.matches(pattern, path) for path in actual):
                yield (*place, at), f"{pattern} was not skipped", f"skipped were: {', '.join(sorted(actual)) or 'none'}"
        for path, reason in sorted(actual.items()):
            if whole and not any(places.matches(pattern, path) for pattern in expected):
                yield place, f"{path} was skipped too: {reason}", ""


def _failed(end: Event) -> str:
    data = end.data
    at = f" at {data['at']}" if data.get("at") else ""
    return f"{data.get('fault') or Fault.PIPELINE}{at}: {data.get('reason')}"
