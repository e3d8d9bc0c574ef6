"""What was said rides in what follows it, where that is one message for flow: one record then holds both, or neither. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from streams.language.topology import EachWork, OutWork, Topology
from streams.messages import Event, Item, Message, Token


def ride(messages: Sequence[Message]) -> list[Message]:
    """The messages of one hop, fewer where what was said can ride: nobody waits for an acknowledgement in between.

    Of a task that was done twice, flow then takes the token that comes first, and tells first what came with it: what a client
    sees is what the run goes on with.
    """
    others = [one for one in messages if not isinstance(one, Event)]
    if len(others) != 1 or not isinstance(only := others[0], Token | Item):
        return list(messages)
    return [replace(only, said=tuple(one for one in messages if isinstance(one, Event)))]


def always_rides(topology: Topology, vertex: str) -> bool:
    """Whether all that can come of a node's end is one message for flow: where its outcome is told is where it is kept."""
    targets = topology.vertices[vertex].targets
    if len(targets) != 1:
        return False
    target = topology.vertices[targets[0].target]
    if target.joins:
        return True
    owner = topology.blocks[target.block].owner
    return isinstance(target.work, OutWork) and bool(owner) and isinstance(topology.vertices[owner].work, EachWork)
