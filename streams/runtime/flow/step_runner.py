"""Taking the messages of one run: what each leads to is computed, remembered, and sent with what the others lead to."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from streams.flow.message_handler import AT_ONCE, Step
from streams.flow.run import over
from streams.flow.run_state import RunState
from streams.flow.state_rows import STOP
from streams.language.topology import Topology
from streams.messages import Ending, FlowMessage, LogMessage, Run, RunBegan, RunEnded, Start, StopSignal
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.publish import Publisher
from streams.runtime.connections.state_log import StateLog
from streams.runtime.errors import ProducerStopped, Revoked
from streams.runtime.flow.batching import merge_steps, whole_step
from streams.runtime.flow.offloading import walked
from streams.runtime.flow.partition_state import PartitionState
from streams.runtime.flow.partitions import Partitions

log = logging.getLogger(__name__)

MessageReader = Callable[[], Awaitable[FlowMessage | LogMessage]]
"""Reads a message when its turn has come."""
ShadowOf = Callable[[Run], str | None]
"""The id of the shadow run that repeats a run, or None."""
_MESSAGES = 1000
"""Messages that are sent together for one run; other runs have their turn before the rest."""


@dataclass
class _Batch:
    """Messages of one run that are taken together, numbered in their order."""

    failures: list[Exception | None] = field(default_factory=list)
    """Why each message that was taken failed; None for success."""
    steps: dict[int, Step] = field(default_factory=dict)
    topology: Topology | None = None

    @property
    def full(self) -> bool:
        """Whether other runs have their turn before more of this one is taken."""
        steps = self.steps.values()
        return sum(len(step.messages) for step in steps) > _MESSAGES or sum(step.work for step in steps) > AT_ONCE


class StepRunner:
    """Runs the pure `streams.flow.run` on the states of `partitions`, and carries out its steps."""

    def __init__(
        self, partitions: Partitions, pipelines: Pipelines, publisher: Publisher, rows: StateLog, shadow_of: ShadowOf
    ) -> None:
        self._partitions = partitions
        self._pipelines = pipelines
        self._publisher = publisher
        self._rows = rows
        self._shadow_of = shadow_of

    async def take(self, place: tuple[int, str], readers: Sequence[MessageReader]) -> list[Exception | None]:
        """Take the first messages of a run, by partition and run id, until the batch is full.

        Returns why each message that was taken failed; None for success. Raises Revoked and ProducerStopped.
        """
        partition, run = place
        state = await self._partitions.state(partition)
        batch = _Batch()
        for reader in readers:
            if batch.full:
                break
            await self._take(state, run, reader, batch)
        try:
            await self._carry_out(merge_steps(batch.steps.values()), batch.topology, partition)
        except (ProducerStopped, Revoked):
            raise
        except Exception:
            log.exception("run %s: its steps cannot be sent together, sending one after another", run)
            for number, step in batch.steps.items():
                batch.failures[number] = await self._carry_out_alone(step, batch.topology, partition)
        return batch.failures

    async def _take(self, partition: PartitionState, run: str, reader: MessageReader, batch: _Batch) -> None:
        number = len(batch.failures)
        batch.failures.append(None)
        state = partition.state(run)
        if over(state):
            return  # no message changes a run that is over
        try:
            message = _overdue(state) or await reader()
            batch.topology = topology = await self._topology(state, message) or batch.topology
            step = await walked(topology, whole_step, topology, state, message, time.time())
            batch.steps[number] = step
            if state is not None and isinstance(message, StopSignal) and message.ending is Ending.CANCEL:
                await self._cancel_shadow(state.run)
        except (ProducerStopped, Revoked):
            raise
        except Exception as error:  # noqa: BLE001  # only this message fails
            batch.failures[number] = error
        else:
            partition.keep(run, step)

    async def _topology(self, state: RunState | None, message: FlowMessage | LogMessage) -> Topology | None:
        """Get the topology that a run is pinned to; None when the message needs none."""
        digest = state.run.digest if state and state.opened and not state.done else ""
        if not digest:
            digest = _digest(message)
        return await self._pipelines.wait_topology(digest) if digest else None

    async def _cancel_shadow(self, run: Run) -> None:
        """Cancel the shadow of a cancelled run: there is no result to compare with its own."""
        shadow = self._shadow_of(run)
        if shadow is not None:
            await self._publisher.to_flow(StopSignal(shadow, Ending.CANCEL))

    async def _carry_out(self, step: Step, topology: Topology | None, partition: int) -> None:
        if step.messages:
            assert topology is not None
            before = step.before
            if any(row.row == STOP for row in before):
                # Written first: no client may see an end that the partition's next owner would not keep to.
                await self._rows.write(before, partition)
                before = []
            records = await self._rows.records(before, partition)
            await self._publisher.publish(step.messages, topology, records)
        over = step.state is not None and step.state.done is not None
        await (self._rows.write_together if over else self._rows.write)(step.after, partition)

    async def _carry_out_alone(self, step: Step, topology: Topology | None, partition: int) -> Exception | None:
        try:
            await self._carry_out(step, topology, partition)
        except (ProducerStopped, Revoked):
            raise
        except Exception as error:  # noqa: BLE001  # only this message fails
            return error
        return None


def _digest(message: FlowMessage | LogMessage) -> str:
    """Return the digest that a message brings for a run that is not open here; empty when it brings none."""
    if isinstance(message, Start | RunBegan):
        return message.run.digest
    return message.event.run.digest if isinstance(message, RunEnded) else ""


def _overdue(state: RunState | None) -> StopSignal | None:
    """End a run whose deadline has passed, before any message that waits; None for other runs.

    What ended a straight run is decided in the log of events: no message of it may be lost.
    """
    late = state is not None and state.opened and not state.run.straight and state.run.deadline <= time.time()
    return StopSignal(state.run.id, Ending.DEADLINE) if state is not None and late else None
