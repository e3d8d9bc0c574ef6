"""What doing tasks needs of its worker."""

from dataclasses import dataclass

from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.connections.publish import Publisher
from streams.runtime.worker.tasks.cancellations import Cancellations


@dataclass(frozen=True)
class TaskContext:
    """The parts of a worker that all its handlers share."""

    connections: Connections
    pipelines: Pipelines
    publisher: Publisher
    cancellations: Cancellations
    letters: DeadLetters
