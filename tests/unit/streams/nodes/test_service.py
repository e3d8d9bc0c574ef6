"""`service:` nodes: the task that is sent, and what comes of its attempts."""

from streams.flow.advance import advance
from streams.messages import Context, Event, EventKind, Failure, Fault, JoinToken, Outcome, Retry, Status, Task
from streams.nodes.service import started
from tests.unit.streams.compiling import pipeline, run

CHAIN = pipeline(
    """
nodes:
  a: {service: calc, with: {x: "${n}"}, retry: {attempts: 3, backoff: 2s}, timeout: 5s}
  b: {service: calc, with: {x: "${a.v}", y: "${n}"}}
output: {r: "${b.v}"}
"""
)
DONE = Outcome(Status.VALUE, {"v": 4, "items": []})


def first_task() -> Task:
    """The task of the first node."""
    return run(CHAIN, n=4).tasks[0]


def test_the_task_is_typed_and_carries_what_is_read_after_it() -> None:
    """Defaults are filled in; the context holds what the rest of the run reads, and no more."""
    task = first_task()
    assert (task.vertex, task.at, task.path, task.service, task.major) == ("a", (), "a", "calc", 1)
    assert task.input == {"x": 4, "y": 0}
    assert task.context == Context({":n": 4})
    assert (task.attempt, task.timeout) == (1, 5.0)


def test_a_finished_attempt_goes_on_to_the_next_task() -> None:
    """Events come first, then one task for the next node: one hop a node."""
    finished, after = advance(CHAIN, first_task(), DONE)
    assert isinstance(finished, Event)
    assert (finished.kind, finished.path, finished.attempt) == (EventKind.FINISHED, "a", 1)
    assert finished.data == {"output": DONE.value}
    assert isinstance(after, Task)
    assert after.vertex == "b"
    assert after.input == {"x": 4, "y": 4}
    assert after.context == Context()


def test_a_failed_attempt_is_tried_again_with_growing_delay() -> None:
    """While attempts are left, the same task goes to a retry; the wait doubles."""
    failed = Outcome(Status.FAILED, failure=Failure("no", Fault.SERVICE))
    task, delays = first_task(), []
    for attempt in (1, 2):
        event, retry = advance(CHAIN, task, failed)
        assert isinstance(event, Event)
        assert event.kind is EventKind.RETRYING
        assert event.data == {"reason": "no", "delay": 2.0 * attempt, "next_attempt": attempt + 1}
        assert isinstance(retry, Retry)
        assert retry.task.attempt == attempt + 1
        task = retry.task
        delays.append(retry.delay)
    assert delays == [2.0, 4.0]
    event, token = advance(CHAIN, task, failed)
    assert isinstance(event, Event)
    assert event.kind is EventKind.FAILED
    assert event.data == {"reason": "no", "fault": "service", "at": "a", "hint": "", "on_error": "fail"}
    assert isinstance(token, JoinToken)
    assert (token.join, token.status, token.failure) == ("$out", Status.FAILED, Failure("no", Fault.SERVICE, "a"))


def test_only_what_trying_again_can_mend_is_tried_again() -> None:
    """A refused input, a wrong expression and a dropped task fail at their first attempt."""
    for fault in (Fault.CALLER, Fault.PIPELINE, Fault.DROPPED):
        sent = advance(CHAIN, first_task(), Outcome(Status.FAILED, failure=Failure("no", fault)))
        assert not any(isinstance(message, Retry) for message in sent)


def test_a_retry_waits_as_long_as_it_was_asked_to() -> None:
    """A service may put the next attempt off for longer than the node says, and never for less."""
    for after, delay in ((60.0, 60.0), (0.5, 2.0)):
        failed = Outcome(Status.FAILED, failure=Failure("not now", Fault.SERVICE), after=after)
        event, retry = advance(CHAIN, first_task(), failed)
        assert isinstance(event, Event)
        assert isinstance(retry, Retry)
        assert event.data["delay"] == retry.delay == delay


def test_without_a_word_a_service_is_tried_three_times() -> None:
    """The default of `retry`."""
    topology = pipeline('nodes: {a: {service: calc, with: {x: "${n}"}}}\noutput: {r: "${a.v}"}')
    seen = run(topology, n=500)
    assert [task.attempt for task in seen.tasks] == [1, 2, 3]
    assert seen.end is not None
    assert (seen.end.kind, seen.end.data["at"], seen.end.data["fault"]) == (EventKind.RUN_FAILED, "a", "service")


def test_an_input_that_does_not_fit_fails_the_node() -> None:
    """What the types could not tell is checked before a task is sent; the service is never called."""
    topology = pipeline('nodes: {a: {service: calc, with: {x: "${n - 5}"}}}\noutput: {r: "${a.v}"}')
    seen = run(topology, n=1)
    assert not seen.tasks
    assert seen.end is not None
    assert seen.end.data["reason"] == "the input of calc is wrong: x: must be at least 0, got -4"
    assert seen.end.data["fault"] == "pipeline"


def test_the_worker_says_that_it_begins() -> None:
    """`node.started` names the service, its input and the attempt."""
    event = started(first_task())
    assert (event.kind, event.path, event.attempt) == (EventKind.STARTED, "a", 1)
    assert event.data == {"service": "calc", "input": {"x": 4, "y": 0}}


def test_advancing_is_pure() -> None:
    """The same attempt always gives the same messages, and leaves its task as it was."""
    task = first_task()
    assert advance(CHAIN, task, DONE) == advance(CHAIN, task, DONE)
    assert task == first_task()
