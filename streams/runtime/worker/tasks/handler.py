"""One task of a service, from its record to everything that follows from its outcome."""

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace as replace_fields

from schemas.errors import Undecodable
from streams.flow.advance import advance
from streams.flow.riding_events import always_rides, ride
from streams.flow.walk import dropped
from streams.language.topology import ServiceWork, Topology
from streams.lifecycle import DEADLINE_PASSED
from streams.messages import Event, Fault, Outcome, Task
from streams.runtime.delivery.redelivery import MAX_DELIVERIES, DeliveryCounter
from streams.runtime.errors import Missing, ProducerStopped, Revoked
from streams.runtime.flow.offloading import walked
from streams.runtime.pool.executors import Executor
from streams.runtime.retrying import on_behalf_of
from streams.runtime.worker.tasks.attempt import AttemptRunner, HostedService, failed
from streams.runtime.worker.tasks.context import TaskContext
from streams.wire.records import Record

log = logging.getLogger(__name__)


class TaskHandler:
    """Handles the records of one service's topic."""

    def __init__(
        self,
        service: HostedService,
        context: TaskContext,
        executor: Executor,
        deliveries: DeliveryCounter,
        bundle: Callable[[], str],
    ) -> None:
        """`bundle`: see `AttemptRunner`."""
        self._service = service
        self._contract = service.contract
        self._context = context
        self._wire = context.connections.wire
        self._publisher = context.publisher
        self._deliveries = deliveries
        self._attempts = AttemptRunner(service, context, executor, bundle)

    @property
    def running(self) -> int:
        """Attempts in progress."""
        return self._attempts.running

    @property
    def allowed(self) -> float:
        """Seconds that the longest of the attempts in progress may take."""
        return self._attempts.allowed

    async def __call__(self, record: Record) -> None:
        """Do the task. Raises Undecodable for a record that holds no task, and ProducerStopped at the worker's end."""
        with on_behalf_of(self._contract.name):
            await self._handle(record)

    async def _handle(self, record: Record) -> None:
        task, unreadable = await self._read(record)
        topology = await self._context.pipelines.wait_topology(task.run.digest)
        if task.vertex not in topology.vertices:
            raise Undecodable(f"{record.where}: pipeline {task.run.pipeline} has no node {task.vertex!r}")
        if unreadable:
            await self._fail(record, task, topology, unreadable)
            return
        try:
            await self._do(record, task, topology)
        except (ProducerStopped, Revoked):
            raise
        except Exception as error:
            # A dead letter alone would leave the run waiting until its deadline.
            log.exception("%s cannot do %s", self._contract.name, record.where)
            await self._fail(record, task, topology, f"{type(error).__name__}: {error}", traceback.format_exc())

    async def _read(self, record: Record) -> tuple[Task, str]:
        """Return the task of a record, and why its input cannot be read; empty where it can.

        Raises Undecodable for a record that holds no task.
        """
        wire, patiently = self._wire, self._publisher.patiently
        try:
            return await patiently(lambda: wire.read_task(record, self._contract.input)), ""
        except (Undecodable, Missing) as error:
            return await patiently(lambda: wire.read_envelope(record)), f"{type(error).__name__}: {error}"

    async def _fail(self, record: Record, task: Task, topology: Topology, reason: str, stack: str = "") -> None:
        """End an attempt for a reason that is the fault of neither the service's function nor the caller."""
        outcome = failed(reason, Fault.SERVICE)
        await self._write_dead_letter(record, task, topology, outcome, stack)
        messages = await walked(topology, advance, topology, task, outcome)
        await self._publisher.publish([*task.said, *messages], topology)

    async def _do(self, record: Record, task: Task, topology: Topology) -> None:
        stack = ""
        unsent: Sequence[Event] = task.said
        if task.run.id in self._context.cancellations:
            outcome = dropped("the run is ending")
        elif task.run.deadline <= time.time():
            outcome = dropped(DEADLINE_PASSED)
        else:
            async with self._deliveries.counting(record) as deliveries:
                if deliveries > MAX_DELIVERIES:
                    outcome, task = _deadly(deliveries), _as_last_attempt(topology, task)
                else:
                    outcome, stack, unsent = await self._attempts.run(task, keeps=self._keeps(topology, task))
        messages = ride([*unsent, *await walked(topology, advance, topology, task, outcome)])
        await self._write_dead_letter(record, task, topology, outcome, stack)
        await self._publisher.publish(messages, topology)

    async def _write_dead_letter(
        self, record: Record, task: Task, topology: Topology, outcome: Outcome, stack: str
    ) -> None:
        """Write the dead letter of a task whose last attempt failed through the service's fault; else do nothing."""
        failure = outcome.failure
        if failure is not None and failure.fault is Fault.SERVICE and _is_last_attempt(topology, task):
            await self._context.letters.write(
                record,
                self._contract.name,
                failure.reason,
                stack=stack,
                attempt=task.attempt,
                run=task.run.id,
                path=task.path,
            )

    def _keeps(self, topology: Topology, task: Task) -> bool:
        """Return whether the output is stored, so that a redelivered task gives it again."""
        if self._contract.deterministic:
            return False
        return not (self._service.repeatable and always_rides(topology, task.vertex))


def _deadly(deliveries: int) -> Outcome:
    """Return the outcome of a task that kills the worker that does it."""
    reason = f"its worker died {deliveries} times while it was being done"
    return failed(reason, Fault.SERVICE, "the input may be more than the service can take; its dead letter has it")


def _as_last_attempt(topology: Topology, task: Task) -> Task:
    """Return the task as its last attempt: another attempt would kill as many workers again."""
    work = topology.vertices[task.vertex].work
    return replace_fields(task, attempt=work.retry.attempts) if isinstance(work, ServiceWork) else task


def _is_last_attempt(topology: Topology, task: Task) -> bool:
    """Return whether no attempt is left after this one."""
    work = topology.vertices[task.vertex].work
    return not isinstance(work, ServiceWork) or task.attempt >= work.retry.attempts
