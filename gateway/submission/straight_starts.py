"""Beginning straight runs here: the first task is sent at once, and flow learns of the run from the log."""

from dataclasses import replace

from gateway.submission.sender import patiently
from streams.flow.straight import begin
from streams.language.topology import Topology
from streams.messages import Run, Start
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.services import Services
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.publish import Publisher
from streams.runtime.flow.offloading import walked


class StraightStarts:
    """Begins straight runs, where the installation lets them (the setting `straight_runs`)."""

    def __init__(self, connections: Connections, pipelines: Pipelines, services: Services) -> None:
        self._connections = connections
        self._pipelines = pipelines
        self._publisher = Publisher(connections, services.absent)

    async def takes(self, topology: Topology) -> bool:
        """Return whether runs of this topology begin here.

        Where a version is tried in the shadow, flow repeats each run.
        """
        shadowed = self._pipelines.shadow(topology.name) is not None
        return topology.straight and not shadowed and await self._connections.begins_straight()

    async def begin(self, topology: Topology, start: Start) -> None:
        """Send what a run begins with, and return when Kafka has it. Raises Problem (503).

        That is the task of its first service, in which its first event rides; or its events, when it needs no service.
        """
        messages = await walked(topology, begin, topology, start)
        await patiently(self._publisher.publish(messages, topology))


def as_straight(run: Run) -> Run:
    """Mark a run as begun where it was asked for."""
    return replace(run, straight=True)
