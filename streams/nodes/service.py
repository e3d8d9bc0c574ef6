"""`service:` sends one task to a service; the run goes on where the service's agent finishes it."""

from typing import TYPE_CHECKING

from schemas.codec import Nonconforming, conform
from streams.messages import Event, EventKind, Fault, Task
from streams.nodes.built import Built
from streams.topology import ServiceUse, ServiceWork
from streams.types import from_avro

if TYPE_CHECKING:
    from streams.compile.compiler import NodeBuilder
    from streams.walk import Visit, Walk


def build(node: "NodeBuilder") -> Built | None:
    """Check the service's inputs against its contract; the value is the service's output record."""
    contract = node.contract(node.spec.subject, node.place("service"))
    if contract is None:
        return None
    given = node.inputs(node.spec.keys.get("with"), from_avro(contract.input), f"service {contract.name}")
    use = ServiceUse(contract.major, contract.version, contract.input_schema, contract.output_schema)
    node.compiler.services[contract.name] = use
    work = ServiceWork(contract.name, given, node.retry(), node.seconds("timeout"))
    return Built(work, from_avro(contract.output), tuple(given.values()))


def start(walk: "Walk", visit: "Visit", work: ServiceWork) -> None:
    """Evaluate the inputs and send the task."""
    use = walk.topology.services[work.service]
    try:
        record = conform(use.input, walk.record(visit, work.input))
    except Nonconforming as error:
        walk.fail(visit, f"the input of {work.service} is wrong: {error}", Fault.PIPELINE)
        return
    walk.send(
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
    """What a worker says before it runs the body."""
    data = {"service": task.service, "input": task.input}
    return Event(task.run, EventKind.STARTED, task.vertex, task.at, task.path, task.attempt, data)
