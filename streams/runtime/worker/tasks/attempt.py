"""One attempt of a task: fetch its objects, call the service, store what comes of it."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from typing import Any

from schemas.contracts import Contract
from schemas.errors import Nonconforming
from schemas.refs import replace, walk
from schemas.validation.conform import conform
from streams.datasets import predictions
from streams.flow.walk import dropped
from streams.messages import Event, Failure, Fault, Outcome, Status, Task, message_id
from streams.nodes.service import started
from streams.runtime.errors import Missing, Unavailable
from streams.runtime.pool.executors import CallResult, Executor, ProgressCallback
from streams.runtime.retrying import retry_until_available
from streams.runtime.storage.output_cache import OutputCache
from streams.runtime.storage.training_inputs import keep
from streams.runtime.worker.tasks.context import TaskContext
from streams.runtime.worker.tasks.progress_publisher import ProgressPublisher
from streams.service.child_calls import call, wait
from streams.service.invocation import Invocation

_QUICK = 0.02
"""Seconds within which a call ends whose start and end are published together: two trips to the broker would cost more."""


@dataclass(frozen=True)
class HostedService:
    """A service that this process serves: where its code is, and its contract."""

    module: str
    contract: Contract
    waits: bool = False
    """Whether its function is `async`."""
    repeatable: bool = True
    """Whether calling it again does no harm."""


class AttemptRunner:
    """Makes attempts of one service's tasks."""

    def __init__(
        self, service: HostedService, context: TaskContext, executor: Executor, bundle: Callable[[], str]
    ) -> None:
        """`bundle`: returns the folder of the model that a call is to use now; empty for the shipped one, or where there is none."""
        self._service = service
        self._contract = service.contract
        self._connections = context.connections
        self._store = context.connections.store
        self._publisher = context.publisher
        self._cancellations = context.cancellations
        self._executor = executor
        self._bundle = bundle
        self._outputs = OutputCache(context.connections.store, service.contract)
        self._limits: list[float] = []

    @property
    def running(self) -> int:
        """Attempts in progress."""
        return len(self._limits)

    @property
    def allowed(self) -> float:
        """Seconds that the longest of the attempts in progress may take."""
        return max(self._limits, default=0.0)

    async def run(self, task: Task, *, keeps: bool) -> tuple[Outcome, str, list[Event]]:
        """Make an attempt; return its outcome, the stack of a failure, and its events that are still to be sent.

        A cancellation of the run ends it early. `keeps`: whether the output is stored, so that a redelivery gives it again.
        """
        progress = ProgressPublisher(task, self._publisher)
        unsent = [*task.said, replace_fields(started(task), time=time.time())]
        work = asyncio.create_task(self._work(task, progress, keeps=keeps))
        limit = self._limit(task)
        self._limits.append(limit)
        try:
            with self._cancellations.watching(task.run.id, work):
                await asyncio.wait([work], timeout=_QUICK)
                if not work.done():
                    await progress.follow(unsent, work)
                    unsent = []
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            raise
        finally:
            self._limits.remove(limit)
        if work.cancelled():
            return dropped("the run is ending"), "", unsent
        return *work.result(), [*unsent, *progress.rest()]

    async def _work(self, task: Task, progress: ProgressPublisher, *, keeps: bool) -> tuple[Outcome, str]:
        if keeps:
            known = await self._outputs.known(task)
            if known is not None:
                return await self._value(task, known), ""
        refs = [ref for _, ref in walk(self._contract.input, task.input)]
        try:
            objects = await self._store.get_all(refs)
        except Missing as error:
            return failed(str(error), Fault.CALLER, "send the object again"), ""
        make_call = functools.partial(self._call, task, objects, progress.take)
        result = await make_call()
        if result.unavailable:
            result = await self._when_available(result.unavailable, make_call)
        if result.failure is not None:
            return Outcome(Status.FAILED, failure=result.failure, after=result.after), result.stack
        return await self._store_output(task, result.value, keeps=keeps), ""

    def _limit(self, task: Task) -> float:
        """Return the seconds that the call of a task may take."""
        return task.timeout or self._contract.timeout

    async def _call(self, task: Task, objects: dict[str, bytes], on_progress: ProgressCallback) -> CallResult:
        return await self._executor.run(
            wait if self._service.waits else call,
            self._service.module,
            self._contract.name,
            dict(task.input),
            objects,
            message_id(task.run.id, "call", task.vertex, task.at),
            self._bundle(),
            seconds=self._limit(task),
            memory=self._contract.memory,
            on_progress=on_progress,
        )

    async def _when_available(self, part: str, make_call: Callable[[], Awaitable[CallResult]]) -> CallResult:
        """Return the result of the same attempt once a part that the service needs is available again."""

        async def again() -> CallResult:
            result = await make_call()
            if result.unavailable:
                raise Unavailable(result.failure.reason if result.failure else result.unavailable)
            return result

        return await retry_until_available(self._connections.outages, part, again, Unavailable)

    async def _store_output(self, task: Task, invocation: Invocation, *, keeps: bool) -> Outcome:
        """Return the output with its objects stored and checked against the contract."""
        stored = await asyncio.gather(
            *(self._store.put(task.run.id, produced.data, produced.media_type) for produced in invocation.objects)
        )
        stored_refs = {ref.sha256: ref for ref in stored}
        referring = replace(self._contract.output, invocation.output, lambda ref: stored_refs.get(ref.sha256, ref))
        try:
            output: dict[str, Any] = conform(self._contract.output, referring)
        except Nonconforming as error:
            return failed(f"the output of {self._contract.name} is not what its contract says: {error}", Fault.SERVICE)
        if keeps:
            output = await self._outputs.keep(task, output)
        return await self._value(task, output)

    async def _value(self, task: Task, output: dict[str, Any]) -> Outcome:
        if not predictions.is_prediction(self._contract, output):
            return Outcome(Status.VALUE, output)
        kept = await keep(self._store, self._contract, task)
        return Outcome(Status.VALUE, output, about=predictions.about(self._contract, task, kept))


def failed(reason: str, fault: Fault, hint: str = "") -> Outcome:
    """Return the outcome of a failed attempt."""
    return Outcome(Status.FAILED, failure=Failure(reason, fault, hint=hint))
