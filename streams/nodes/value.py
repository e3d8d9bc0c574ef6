"""`value:` computes something where the run already is."""

from streams.language.topology import ValueWork
from streams.messages import Outcome, Status
from streams.nodes.building import Builder, Built
from streams.nodes.walking import Visit, Walker


def build(node: Builder) -> Built:
    """Type the template."""
    made, kind = node.template(node.place("value"), node.spec.subject)
    return Built(ValueWork(made), kind, (made,))


def start(walk: Walker, visit: Visit, work: ValueWork) -> None:
    """Evaluate and go on."""
    walk.finish(visit, Outcome(Status.VALUE, walk.evaluate(work.value, walk.values(visit))))
