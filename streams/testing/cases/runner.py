"""The in-memory driver with mocks in the place of services, and the real codec on every way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.encoding.codec import Nonconforming, conform
from schemas.shapes import shape
from streams.errors import Blame, EvaluationError, MillraceError, Problem
from streams.flow.state_rows import Row
from streams.language import template
from streams.language.definition.model import PipelineSpec
from streams.language.source.document import Place, split
from streams.messages import Failure, Outcome, Status, Task
from streams.testing.cases import places
from streams.testing.cases.check import INPUT_VARIABLE, Ready
from streams.testing.cases.fill import filled
from streams.testing.cases.model import Answer, Answers, Failing, Mock
from streams.testing.cases.pictures import Pictures
from streams.testing.driver import Driver
from streams.testing.round_trip import Coder


class NoAnswer(MillraceError):
    """A test has nothing to answer a task with; `problem` says where and what to do."""

    blame = Blame.AUTHOR

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass
class Mocked(Driver):
    """A run of one test."""

    spec: PipelineSpec | None = None
    ready: Ready | None = None
    pictures: Pictures = field(default_factory=lambda: Pictures(None))
    coder: Coder | None = None

    def write(self, row: Row) -> None:
        """Keep a row as its reader will have it."""
        super().write(self.coder.row(row) if self.coder else row)

    def serve(self, task: Task) -> Outcome:
        """Answer one attempt with the mock whose path names its execution most exactly."""
        assert self.ready is not None
        meant = [mock for mock in self.ready.case.mocks if places.matches(mock.path, task.path)]
        if not meant:
            raise self._no_answer(
                (*self.ready.case.place, "mock"),
                f"{task.path} calls {task.service}, which has no mock",
                f"mock: {{{places.static(task.path)}: {{{', '.join(self._fields(task))}}}}}",
            )
        answer = self._answer(max(meant, key=lambda mock: places.positions(mock.path)), task)
        if isinstance(answer, Failing):
            return Outcome(Status.FAILED, failure=Failure(answer.reason, answer.fault))
        return Outcome(Status.VALUE, self._value(answer.place, task))

    def _fields(self, task: Task) -> list[str]:
        return [f"{field['name']}: …" for field in self.topology.services[task.service].output["fields"][:3]]

    def _answer(self, mock: Mock, task: Task) -> Answer:
        answers: Answer | Answers = mock.answers
        for position in places.open_positions(mock.path, self.topology.vertices[task.vertex], task.at):
            if not isinstance(answers, Answers):
                break
            if position >= len(answers.each):
                problem = f"{task.path} is called, and the list of answers ends at {len(answers.each) - 1}"
                raise self._no_answer(answers.place, problem, "add one, or give one answer for all")
            answers = answers.each[position]
        if isinstance(answers, Answers):
            last = min(task.attempt, len(answers.each)) - 1
            answers = answers.each[last]
        assert not isinstance(answers, Answers), "depth is checked"
        while isinstance(answers, Failing) and answers.attempts is not None and task.attempt > answers.attempts:
            if answers.then is None:
                break
            answers = answers.then
        return answers

    def _value(self, place: Place, task: Task) -> Any:
        assert self.ready is not None
        values: Mapping[str, Any] = {INPUT_VARIABLE: task.input, **self.ready.input}
        schema = self.topology.services[task.service].output
        try:
            answer = template.evaluate(self.ready.answers[place], values)
            return conform(schema, filled(shape(schema), answer, task.path, self.pictures))
        except EvaluationError as error:
            raise self._no_answer(place, str(error), error.hint) from None
        except Nonconforming as error:
            problem = error.problems[0]
            raise self._no_answer((*place, *split(problem.where)), problem.problem, problem.hint) from None

    def _no_answer(self, place: Place, problem: str, hint: str) -> NoAnswer:
        assert self.spec is not None
        return NoAnswer(self.spec.source.problem(place, problem, hint))
