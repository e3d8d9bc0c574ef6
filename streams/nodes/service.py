"""`service:` sends one task to a service; the run continues where the service's agent finishes it."""

from typing import Any

from schemas.encoding.codec import Nonconforming, conform
from streams.language.source.document import Place
from streams.language.topology import ServiceWork
from streams.messages import Event, EventKind, Fault, Task
from streams.nodes.building import Builder, Built
from streams.nodes.walking import Visit, Walker
from streams.service.progress_report import Progress


def build(node: Builder) -> Built | None:
    """Check the inputs against the service's contract; the value is the service's output record."""
    return call(node, node.spec.subject, node.place("service"), "with")


def call(node: Builder, name: Any, place: Place, key: str) -> Built | None:
    """Build a call of a service whose inputs are under `key`."""
    signature = node.signature(name, place)
    if signature is None:
        node.loose(key)
        node.retry()
        node.seconds("timeout")
        return None
    inputs = node.inputs(signature.input, f"service {name}", key, signature.unwanted)
    work = ServiceWork(name, inputs, node.retry(), node.seconds("timeout"))
    return Built(work, signature.output, tuple(inputs.values()))


def start(walk: Walker, visit: Visit, work: ServiceWork) -> None:
    """Evaluate the inputs and send the task, unless the run repeats one whose output is reused."""
    if walk.reuse(visit):
        return
    use = walk.topology.services[work.service]
    try:
        record = conform(use.input, walk.record(visit, work.input))
    except Nonconforming as error:
        walk.fail(visit, f"the input of {work.service} is wrong: {error}", Fault.PIPELINE)
        return
    walk.emit(
        Task(
            run=walk.run,
            vertex=visit.vertex.id,
            at=visit.at,
            path=walk.path(visit),
            service=work.service,
            major=use.major,
            input=record,
            context=walk.kept(visit),
            timeout=work.timeout,
        )
    )


def started(task: Task) -> Event:
    """Return the event that a worker publishes before it runs the body."""
    data = {"service": task.service, "input": task.input}
    return Event(task.run, EventKind.STARTED, task.vertex, task.at, task.path, task.attempt, data)


def progressed(task: Task, progress: Progress) -> Event:
    """Return the event for progress that the body reports."""
    data = {"service": task.service, **progress.to_data()}
    return Event(task.run, EventKind.PROGRESS, task.vertex, task.at, task.path, task.attempt, data)
