"""Let events ride in the message that follows them, where that is one message for flow: one record holds both. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from streams.language.topology import EachWork, OutWork, Topology
from streams.messages import Event, JoinToken, LoopItemDone, Message


def ride(messages: Sequence[Message]) -> list[Message]:
    """Return the messages of one hop, with the events inside the only other message where that goes to flow.

    This saves waiting for the acknowledgement of the events. When a task was done twice, flow takes the first token and
    publishes the events inside it first, so a client sees the attempt that the run continues with.
    """
    others = [message for message in messages if not isinstance(message, Event)]
    if len(others) != 1 or not isinstance(only := others[0], JoinToken | LoopItemDone):
        return list(messages)
    return [replace(only, said=tuple(message for message in messages if isinstance(message, Event)))]


def always_rides(topology: Topology, vertex: str) -> bool:
    """Return whether the end of a node always leads to one message for flow, so that its events always ride in it."""
    targets = topology.vertices[vertex].targets
    if len(targets) != 1:
        return False
    target = topology.vertices[targets[0].target]
    if target.joins:
        return True
    owner = topology.blocks[target.block].owner
    return isinstance(target.work, OutWork) and bool(owner) and isinstance(topology.vertices[owner].work, EachWork)
