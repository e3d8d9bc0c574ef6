"""`value:` computes something where the run already is."""

from typing import TYPE_CHECKING

from streams.language.topology import ValueWork
from streams.messages import Outcome, Status
from streams.nodes.built import Built

if TYPE_CHECKING:
    from streams.compile.node_builder import NodeBuilder
    from streams.flow.walk import Visit, Walk


def build(node: "NodeBuilder") -> Built:
    """Type the template."""
    made, kind = node.template(node.place("value"), node.spec.subject)
    return Built(ValueWork(made), kind, (made,))


def start(walk: "Walk", visit: "Visit", work: ValueWork) -> None:
    """Evaluate and go on."""
    walk.finish(visit, Outcome(Status.VALUE, walk.evaluate(work.value, walk.values(visit))))
