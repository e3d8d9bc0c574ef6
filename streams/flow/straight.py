"""Straight runs: begun where they are asked for and ended by their last agent; flow learns of both from the log. Pure.

One record holds all that such a run is at any time: a task, with every event that nobody has published yet. The first last
event in the log is the run's end, be it an agent or flow that says it.
"""

from dataclasses import replace

from streams.flow.message_handler import OVERDUE, ended
from streams.flow.walk import Walk
from streams.language.topology import Topology
from streams.lifecycle import DEADLINE_PASSED
from streams.messages import (
    Context,
    Event,
    EventKind,
    Failure,
    Fault,
    Message,
    Outcome,
    Result,
    Run,
    Start,
    Task,
)


def begin(topology: Topology, start: Start) -> list[Message]:
    """Begin a straight run: return its first task, in which its first events ride, or all its events where it has no task.

    The start is not refused and reuses nothing. The same start gives the same messages.
    """
    walk = Walk(topology, start.run)
    walk.enter("", (), Context({f":{name}": value for name, value in start.input.items()}))
    messages = [accepted(start.run, start), *walked_on(walk)]
    events = tuple(message for message in messages if isinstance(message, Event))
    return [replace(message, said=events) for message in messages if isinstance(message, Task)] or messages


def accepted(run: Run, start: Start) -> Event:
    """Return the first event of a run."""
    data = {
        "pipeline": run.pipeline,
        "digest": run.digest,
        "input": dict(start.input),
        "source": start.source,
        **start.origin,
    }
    if run.shadow_of:
        data["shadow_of"] = run.shadow_of
    return Event(run, EventKind.ACCEPTED, data=data)


def walked_on(walk: Walk) -> list[Message]:
    """Return the messages of a walk, with the last event of a straight run that it brought to its end."""
    messages = walk.messages()
    if walk.run.straight and walk.ended is not None:
        end = last_event(walk.run, walk.ended)
        messages.extend([end] if end else [])
    return messages


def last_event(run: Run, outcome: Outcome) -> Event | None:
    """Return the last event of a straight run whose walk ended so.

    None for a task that was dropped because its run is ending: flow wrote the end into the log before workers heard of it.
    """
    failure = outcome.failure
    if failure is None:
        return ended(run, EventKind.RUN_FINISHED, output=outcome.value)
    if failure.fault is not Fault.DROPPED:
        return ended(run, EventKind.RUN_FAILED, failure)
    return ended(run, EventKind.RUN_FAILED, OVERDUE) if failure.reason == DEADLINE_PASSED else None


def result_of(event: Event) -> Result:
    """Return the result of a run whose last event this is, as other systems get it."""
    data = event.data
    if event.kind is EventKind.RUN_FINISHED:
        return Result(event.run, event.kind, data["output"])
    failure = Failure(data["reason"], Fault(data["fault"]), data.get("at", ""), data["hint"])
    return Result(event.run, event.kind, failure=failure)
