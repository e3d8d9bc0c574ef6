"""Decide where a run goes when an attempt of a service has ended. Pure: no Kafka, no S3, no clock, no Faust."""

from dataclasses import replace

from streams.flow.straight import walked_on
from streams.flow.walk import Walk
from streams.language.topology import ServiceWork, Topology
from streams.messages import EventKind, Fault, Message, Outcome, Retry, Task
from streams.nodes.walking import Visit

RETRIED = frozenset({Fault.SERVICE})
"""Faults that another attempt may fix."""


def advance(topology: Topology, task: Task, outcome: Outcome) -> list[Message]:
    """Return everything to send after an attempt: events first (to be acknowledged before the rest), then tasks and tokens.

    A failure that another attempt may fix gives `node.retrying` and a Retry while attempts are left. Every edge of the node
    gets exactly one token or task, whatever happens. `task.context` holds what the rest of the run reads. Where a straight
    run has ended, its last event is the last message.
    """
    walk = Walk(topology, task.run, executions=task.executions)
    visit = Visit(topology.vertices[task.vertex], task.at, task.context)
    work = visit.vertex.work
    failure = outcome.failure
    if failure and isinstance(work, ServiceWork) and failure.fault in RETRIED and task.attempt < work.retry.attempts:
        delay = max(work.retry.backoff * 2 ** (task.attempt - 1), outcome.after)
        data = {"reason": failure.reason, "delay": delay, "next_attempt": task.attempt + 1}
        walk.emit_event(visit, EventKind.RETRYING, data, task.attempt)
        walk.emit(Retry(replace(task, attempt=task.attempt + 1, said=()), delay))
        return walk.messages()
    if failure and not failure.path:
        outcome = replace(outcome, failure=replace(failure, path=walk.path(visit)))
    walk.finish(visit, outcome, task.attempt)
    return walked_on(walk)
