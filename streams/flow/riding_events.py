"""Let events ride in the message that follows them, where that is one message for flow: one record holds both. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from streams.language.topology import EachWork, OutWork, Topology
from streams.messages import Event, JoinToken, LoopItemDone, Message, Task


def ride(messages: Sequence[Message]) -> list[Message]:
    """Return the messages of one hop, with the events inside the only other message where that goes to flow.

    This saves waiting for the acknowledgement of the events. When a task was done twice, flow takes the first token and
    publishes the events inside it first, so a client sees the attempt that the run continues with.
    """
    others = [message for message in messages if not isinstance(message, Event)]
    if len(others) != 1 or not isinstance(only := others[0], JoinToken | LoopItemDone):
        return list(messages)
    return [replace(only, said=tuple(message for message in messages if isinstance(message, Event)))]


def riding(task: Task, messages: Sequence[Message], *, rides: bool) -> list[Message]:
    """Return what follows from a task, with what was said before it in front: `ride`, and what holds of straight runs.

    Where the next step of a straight run follows and `rides` is true, all events ride in it. `rides` is false when they must
    be published first: they are too large, too old, or nobody is there to do the task soon.
    """
    events = [*task.said, *(message for message in messages if isinstance(message, Event))]
    others = [message for message in messages if not isinstance(message, Event)]
    if rides and task.run.straight and len(others) == 1 and isinstance(following := others[0], Task):
        return [replace(following, said=tuple(events))]
    return ride([*events, *others])


def always_rides(topology: Topology, vertex: str) -> bool:
    """Return whether the end of a node always leads to one message for flow, so that its events always ride in it.

    In a straight run the end of such a node always leads to the run's end, or to a retry: one record of the log has both.
    """
    targets = topology.vertices[vertex].targets
    if len(targets) != 1:
        return False
    target = topology.vertices[targets[0].target]
    if target.joins:
        return True
    owner = topology.blocks[target.block].owner
    return isinstance(target.work, OutWork) and bool(owner) and isinstance(topology.vertices[owner].work, EachWork)
