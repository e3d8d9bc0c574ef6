"""A service: one typed function with its contract, and what its calls return."""

import asyncio
import hashlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from schemas.contracts import Contract
from schemas.errors import Nonconforming
from schemas.refs import Ref
from schemas.validation.conform import conform
from streams.errors import Blame, MillraceError
from streams.service.avro import avro
from streams.service.contract import Encoded, Record
from streams.service.errors import InvalidInput
from streams.service.model_status import ModelStatus
from streams.service.options import Options
from streams.service.values import BadOutput, bind, unbind

Q = TypeVar("Q", bound=Record)
A = TypeVar("A", bound=Record)


class BadService(MillraceError, TypeError):
    """A service is declared wrongly; the message names the service and what to change."""

    blame = Blame.AUTHOR


@dataclass(frozen=True)
class Produced:
    """An object that a call produced, to be stored by the worker under its hash."""

    sha256: str
    """64 lower-case hexadecimal digits."""
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Invocation:
    """What one call of a service returned.

    The refs in `output` carry hash, size and media type of `objects`; bucket and key are empty until they are stored.
    """

    output: dict[str, Any]
    objects: tuple[Produced, ...]


@dataclass(frozen=True, kw_only=True)
class Service(Options, Generic[Q, A]):
    """A named, versioned capability with a typed input and output."""

    function: Callable[[Q], A | Awaitable[A]]
    request: type[Q]
    response: type[A]
    summary: str
    description: str

    def __call__(self, request: Q) -> A:
        """Call the function itself: for tests, and for services that build on others. Not inside a running event loop."""
        answer = self.function(request)
        return asyncio.run(cast(Coroutine[Any, Any, A], answer)) if self.waits else cast(A, answer)

    @property
    def waits(self) -> bool:
        """Whether its function is `async`: it waits for others, and many of its calls run in one process at once."""
        return inspect.iscoroutinefunction(self.function)

    @cached_property
    def contract(self) -> Contract:
        """The contract that other packages read, as Avro records. Raises BadContract, BadRecord."""
        prefix = "".join(word.capitalize() for word in self.name.split("-"))
        schemas: dict[str, Any] = {
            "input": avro(self.request, f"{prefix}Input", prefix),
            "output": avro(self.response, f"{prefix}Output", prefix),
        }
        shared = {field.name: getattr(self, field.name) for field in fields(Contract) if field.name not in schemas}
        return Contract(**shared, **schemas)

    def model_status(self) -> tuple[ModelStatus, ...]:
        """Return the models of this service and whether their weights are there; cheap, loads none of them."""
        own = () if self.slot is None else (self.slot.status(self.name),)
        return (*own, *self.models())

    def invoke(self, record: Mapping[str, Any], objects: Mapping[str, bytes]) -> Invocation:
        """Run the service on one input record; `objects` holds the bytes of its refs by their SHA-256.

        Raises InvalidInput when the input cannot be served (the caller's fault: trying again cannot help); anything else
        that is raised is the service's fault.
        """
        return self._invocation(self(self._request(record, lambda ref: objects[ref.sha256])))

    def invoke_all(
        self, calls: Sequence[tuple[Mapping[str, Any], Mapping[str, bytes]]]
    ) -> list[Invocation | Exception]:
        """Run the function over many on several records with their objects; return what each gave, in order.

        A request that cannot be served gets an InvalidInput; the others are answered.
        Raises what the function raises: no call has an answer then.
        """
        if self.many is None:
            raise BadService(f"service {self.name}: it has no function over many")
        bound: list[Any] = []
        for record, objects in calls:
            try:
                bound.append(self._request(record, lambda ref, objects=objects: objects[ref.sha256]))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001  # whatever it is, only this call fails
                bound.append(error)
        requests = [request for request in bound if not isinstance(request, Exception)]
        answers = list(self.many(requests)) if requests else []
        if len(answers) != len(requests):
            raise BadService(f"service {self.name}: it gave {len(answers)} answers to {len(requests)} requests")
        left = iter(answers)
        return [
            request if isinstance(request, Exception) else self._invocation_or_error(next(left)) for request in bound
        ]

    def _invocation_or_error(self, answer: A | Exception) -> Invocation | Exception:
        if isinstance(answer, Exception):
            return answer
        try:
            return self._invocation(answer)
        except Exception as error:  # noqa: BLE001  # only the call with the wrong output fails
            return error

    async def wait(self, record: Mapping[str, Any], objects: Mapping[str, bytes]) -> Invocation:
        """Do as `invoke` for a service whose function is `async`, inside a running event loop."""
        return self._invocation(
            await cast(Awaitable[A], self.function(self._request(record, lambda ref: objects[ref.sha256])))
        )

    def _invocation(self, answer: A) -> Invocation:
        produced: dict[str, Produced] = {}

        def store(object: Encoded) -> Ref:
            sha256 = hashlib.sha256(object.data).hexdigest()
            produced.setdefault(sha256, Produced(sha256, object.media_type, object.data))
            return Ref("", "", len(object.data), sha256, object.media_type)

        output = unbind(answer, store)
        try:
            return Invocation(conform(self.contract.output, output), tuple(produced.values()))
        except Nonconforming as error:
            raise BadOutput(f"service {self.name}: {error}") from error

    def _request(self, record: Mapping[str, Any], fetch: Callable[[Ref], bytes]) -> Q:
        try:
            return bind(self.request, conform(self.contract.input, record), fetch)
        except Nonconforming as error:
            if len(error.problems) > 1:
                raise InvalidInput(str(error)) from error
            only = error.problems[0]
            raise InvalidInput(only.problem, only.hint, only.where) from error
