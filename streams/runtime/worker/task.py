"""One task of a service, from its record to everything that follows from its outcome."""

import asyncio
import functools
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from typing import Any

from schemas.contracts import Contract
from schemas.errors import Nonconforming, Undecodable
from schemas.refs import Ref, replace, walk
from schemas.validation.conform import conform
from streams.datasets import predictions
from streams.flow.advance import advance
from streams.flow.riding_events import always_rides, ride
from streams.flow.walk import dropped
from streams.language.topology import ServiceWork, Topology
from streams.messages import Event, Failure, Fault, Outcome, Status, Task, message_id
from streams.nodes.service import started
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.connections.publish import Publisher
from streams.runtime.delivery.redelivery import LIMIT, DeliveryCounter
from streams.runtime.errors import Missing, ProducerStopped, Revoked, Unavailable
from streams.runtime.flow.offloading import walked
from streams.runtime.pool.executors import CallResult, Executor, ProgressCallback
from streams.runtime.retrying import on_behalf_of, retry_until_available
from streams.runtime.storage.output_cache import OutputCache
from streams.runtime.storage.training_inputs import keep
from streams.runtime.worker.cancellations import Cancellations
from streams.runtime.worker.progress_publisher import ProgressPublisher
from streams.service.child_calls import call, wait
from streams.service.invocation import Invocation
from streams.wire.records import Record

log = logging.getLogger(__name__)

_QUICK = 0.005
"""Seconds of a body whose beginning and end are said in one breath: two ways to the broker would cost more than it."""


@dataclass(frozen=True)
class HostedService:
    """A service that this process serves: where its code is, and its contract."""

    module: str
    contract: Contract
    waits: bool = False
    """Whether its function is `async`."""
    repeatable: bool = True
    """Whether running it again does no harm."""


class TaskHandler:
    """Handles the records of one service's topic."""

    def __init__(
        self,
        hosted: HostedService,
        parts: Connections,
        bodies: Executor,
        pipelines: Pipelines,
        publisher: Publisher,
        aborts: Cancellations,
        letters: DeadLetters,
        watch: DeliveryCounter,
        bundle: Callable[[], str],
    ) -> None:
        """`bundle`: the folder of the model that a call is to use now; empty for the shipped one, or where there is none."""
        self._hosted = hosted
        self._contract = hosted.contract
        self._parts = parts
        self._bodies = bodies
        self._pipelines = pipelines
        self._publisher = publisher
        self._aborts = aborts
        self._letters = letters
        self._watch = watch
        self._bundle = bundle
        self._outcomes = OutputCache(parts.store, hosted.contract)
        self._limits: list[float] = []

    @property
    def running(self) -> int:
        """Attempts under way."""
        return len(self._limits)

    @property
    def allowed(self) -> float:
        """Seconds that the longest of the attempts under way may take."""
        return max(self._limits, default=0.0)

    async def __call__(self, record: Record) -> None:
        """Does the task. Raises Undecodable for a record that is none, and ProducerStopped at the worker's end."""
        with on_behalf_of(self._contract.name):
            await self._handle(record)

    async def _handle(self, record: Record) -> None:
        task, unread = await self._read(record)
        topology = await self._pipelines.wait_topology(task.run.digest)
        if task.vertex not in topology.vertices:
            raise Undecodable(f"{record.where}: pipeline {task.run.pipeline} has no node {task.vertex!r}")
        if unread:
            await self._failed(record, task, topology, unread)
            return
        try:
            await self._do(record, task, topology)
        except (ProducerStopped, Revoked):
            raise
        except Exception as error:
            # A task that is a dead letter and nothing else leaves its run waiting until the deadline.
            log.exception("%s cannot do %s", self._contract.name, record.where)
            await self._failed(record, task, topology, f"{type(error).__name__}: {error}", traceback.format_exc())

    async def _read(self, record: Record) -> tuple[Task, str]:
        """The task of a record, and why its input cannot be read, if so. Raises Undecodable for a record that is no task."""
        wire, patiently = self._parts.wire, self._publisher.patiently
        try:
            return await patiently(lambda: wire.read_task(record, self._contract.input)), ""
        except (Undecodable, Missing) as error:
            return await patiently(lambda: wire.read_envelope(record)), f"{type(error).__name__}: {error}"

    async def _failed(self, record: Record, task: Task, topology: Topology, reason: str, stack: str = "") -> None:
        """Ends an attempt for a reason that is neither the body's nor the caller's."""
        outcome = _failed(reason, Fault.SERVICE)
        await self._bury(record, task, topology, outcome, stack)
        await self._publisher.publish(await walked(topology, advance, topology, task, outcome), topology)

    async def _do(self, record: Record, task: Task, topology: Topology) -> None:
        stack = ""
        unsaid: list[Event] = []
        if task.run.id in self._aborts:
            outcome = dropped("the run is ending")
        elif task.run.deadline <= time.time():
            outcome = dropped("the run's deadline passed")
        else:
            async with self._watch.over(record) as times:
                if times > LIMIT:
                    outcome, task = _deadly(times), _final(topology, task)
                else:
                    outcome, stack, unsaid = await self._attempt(task, keeps=self._keeps(topology, task))
        messages = ride([*unsaid, *await walked(topology, advance, topology, task, outcome)])
        await self._bury(record, task, topology, outcome, stack)
        await self._publisher.publish(messages, topology)

    async def _bury(self, record: Record, task: Task, topology: Topology, outcome: Outcome, stack: str) -> None:
        """Writes the dead letter of a task whose last attempt failed by the service's fault."""
        failure = outcome.failure
        if failure is not None and failure.fault is Fault.SERVICE and _last(topology, task):
            await self._letters.write(
                record,
                self._contract.name,
                failure.reason,
                stack=stack,
                attempt=task.attempt,
                run=task.run.id,
                path=task.path,
            )

    def _keeps(self, topology: Topology, task: Task) -> bool:
        """Whether the outcome is stored, so that the task gives it again when it is delivered again."""
        if self._contract.deterministic:
            return False
        return not (self._hosted.repeatable and always_rides(topology, task.vertex))

    async def _attempt(self, task: Task, *, keeps: bool) -> tuple[Outcome, str, list[Event]]:
        """The outcome of one attempt, the stack of a failure, and the events of it that are still to be sent.

        An abort of the run ends it early.
        """
        telling = ProgressPublisher(task, self._publisher)
        unsaid = [replace_fields(started(task), time=time.time())]
        work = asyncio.create_task(self._work(task, telling, keeps=keeps))
        limit = self._limit(task)
        self._limits.append(limit)
        try:
            with self._aborts.watching(task.run.id, work):
                await asyncio.wait([work], timeout=_QUICK)
                if not work.done():
                    await telling.follow(unsaid, work)
                    unsaid = []
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            raise
        finally:
            self._limits.remove(limit)
        if work.cancelled():
            return dropped("the run is ending"), "", unsaid
        return *work.result(), [*unsaid, *telling.rest()]

    async def _work(self, task: Task, telling: ProgressPublisher, *, keeps: bool) -> tuple[Outcome, str]:
        if keeps:
            known = await self._outcomes.known(task)
            if known is not None:
                return await self._value(task, known), ""
        refs = [ref for _, ref in walk(self._contract.input, task.input)]
        try:
            objects = await self._fetch(refs)
        except Missing as error:
            return _failed(str(error), Fault.CALLER, "send the object again"), ""
        body = functools.partial(self._body, task, objects, telling.take)
        ended = await body()
        if ended.away:
            ended = await self._when_back(ended.away, body)
        if ended.failure is not None:
            return Outcome(Status.FAILED, failure=ended.failure, after=ended.after), ended.stack
        return await self._kept(task, ended.value, keeps=keeps), ""

    def _limit(self, task: Task) -> float:
        """Seconds that its body may take."""
        return task.timeout or self._contract.timeout

    async def _body(self, task: Task, objects: dict[str, bytes], heard: ProgressCallback) -> CallResult:
        return await self._bodies.run(
            wait if self._hosted.waits else call,
            self._hosted.module,
            self._contract.name,
            dict(task.input),
            objects,
            message_id(task.run.id, "call", task.vertex, task.at),
            self._bundle(),
            seconds=self._limit(task),
            memory=self._contract.memory,
            heard=heard,
        )

    async def _when_back(self, part: str, body: Callable[[], Awaitable[CallResult]]) -> CallResult:
        """The end of the same attempt once a part that the body asks is no longer away."""

        async def again() -> CallResult:
            ended = await body()
            if ended.away:
                raise Unavailable(ended.failure.reason if ended.failure else ended.away)
            return ended

        return await retry_until_available(self._parts.outages, part, again, Unavailable)

    async def _fetch(self, refs: list[Ref]) -> dict[str, bytes]:
        return await self._parts.store.get_all(refs)

    async def _kept(self, task: Task, made: Invocation, *, keeps: bool) -> Outcome:
        """The output with its objects stored, as its contract says it is."""
        stored = await asyncio.gather(
            *(self._parts.store.put(task.run.id, one.data, one.media_type) for one in made.objects)
        )
        places = {ref.sha256: ref for ref in stored}
        given = replace(self._contract.output, made.output, lambda ref: places.get(ref.sha256, ref))
        try:
            output: dict[str, Any] = conform(self._contract.output, given)
        except Nonconforming as error:
            return _failed(f"the output of {self._contract.name} is not what its contract says: {error}", Fault.SERVICE)
        if keeps:
            output = await self._outcomes.keep(task, output)
        return await self._value(task, output)

    async def _value(self, task: Task, output: dict[str, Any]) -> Outcome:
        if not predictions.made(self._contract, output):
            return Outcome(Status.VALUE, output)
        kept = await keep(self._parts.store, self._contract, task)
        return Outcome(Status.VALUE, output, about=predictions.about(self._contract, task, kept))


def _deadly(times: int) -> Outcome:
    """The outcome of a task that ends the worker that does it."""
    reason = f"its worker died {times} times while it was being done"
    return _failed(reason, Fault.SERVICE, "the input may be more than the service can take; its dead letter has it")


def _final(topology: Topology, task: Task) -> Task:
    """The task as its last attempt: another one would end as many workers again."""
    work = topology.vertices[task.vertex].work
    return replace_fields(task, attempt=work.retry.attempts) if isinstance(work, ServiceWork) else task


def _last(topology: Topology, task: Task) -> bool:
    """Whether no attempt is left after this one."""
    work = topology.vertices[task.vertex].work
    return not isinstance(work, ServiceWork) or task.attempt >= work.retry.attempts


def _failed(reason: str, fault: Fault, hint: str = "") -> Outcome:
    return Outcome(Status.FAILED, failure=Failure(reason, fault, hint=hint))
