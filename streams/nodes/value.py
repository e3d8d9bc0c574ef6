"""`value:` computes a value without calling a service."""

from streams.language.topology import ValueWork
from streams.messages import Outcome, Status
from streams.nodes.building import Builder, Built
from streams.nodes.walking import Visit, Walker


def build(node: Builder) -> Built:
    """Check the template."""
    value, kind = node.template(node.place("value"), node.spec.subject)
    return Built(ValueWork(value), kind, (value,))


def start(walk: Walker, visit: Visit, work: ValueWork) -> None:
    """Evaluate the template and finish with its value."""
    walk.finish(visit, Outcome(Status.VALUE, walk.evaluate(work.value, walk.values(visit))))
