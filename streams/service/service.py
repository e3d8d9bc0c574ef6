"""A service: one typed function with its contract, made by `@service` in a file of its own under `agents/`."""

import asyncio
import hashlib
import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Generic, TypeVar, cast, get_type_hints

from schemas.contracts import Contract
from schemas.errors import Nonconforming
from schemas.refs import Ref
from schemas.validation.conform import conform
from streams.errors import Blame, MillraceError
from streams.service import call_context
from streams.service.avro import avro
from streams.service.contract import Encoded, Record, fields_of
from streams.service.errors import InvalidInput
from streams.service.model_slot import Slot
from streams.service.model_status import ModelStatus
from streams.service.values import BadOutput, bind, unbind

Q = TypeVar("Q", bound=Record)
A = TypeVar("A", bound=Record)


_SHIPPED = "agents."
"""Where the services are that everybody finds in the catalogue."""
_SUMMARY = 100


class BadService(MillraceError, TypeError):
    """A service is declared wrongly; the message names the service and what to change."""

    blame = Blame.AUTHOR


@dataclass(frozen=True)
class Produced:
    """An object that an invocation made, to be stored by the worker under its hash."""

    sha256: str
    """64 lower-case hexadecimal digits."""
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Invocation:
    """What one call of a service gave.

    The refs in `output` carry hash, size and media type of `objects`; bucket and key are empty until they are stored.
    """

    output: dict[str, Any]
    objects: tuple[Produced, ...]


@dataclass(frozen=True)
class Service(Generic[Q, A]):
    """A named, versioned capability with a typed input and output."""

    name: str
    version: str
    function: Callable[[Q], A | Awaitable[A]]
    request: type[Q]
    response: type[A]
    summary: str
    description: str
    deterministic: bool = True
    repeatable: bool = False
    """Whether running it again does no harm: it changes nothing anywhere, though it may answer something else."""
    timeout: float = 30.0
    """Seconds."""
    memory: int = 1024
    """MiB."""
    example: Mapping[str, Any] | None = None
    models: Callable[[], tuple[ModelStatus, ...]] = tuple
    preload: tuple[str, ...] = ()
    """Modules that its function imports when called: what a pool imports once, before it forks its children."""
    check: Callable[[], str] = str
    """Says why the service cannot serve where it is asked, in a few words; empty when it can. Until then its worker takes no calls."""
    remark: Callable[[], str] = str
    """Says when a worker starts what callers should know of a service that serves all the same; empty when nothing."""
    label: str = ""
    """The response's field that a person can put right when the model was wrong."""
    keeps: str = ""
    """The request's field whose object is kept for training; `*`: the whole request, as JSON."""
    slot: Slot[Any] | None = None
    """Where it finds its model, when that is one that can be exchanged while it serves."""
    loads: Callable[[], object] | None = None
    """Loads what its function needs beside that, in every process, so that no call waits for it."""
    batch: int = 1
    """Calls that a process takes together when many wait, at most."""
    many: Callable[[list[Q]], Sequence[A | Exception]] | None = None
    """The function over many requests at once, where there is one: an answer, or what is wrong, for each of them in order."""
    dataset: str = ""
    """The dataset of the data catalogue that its model learns from; corrections make further versions of it."""
    trains: str = ""
    """The service whose model it trains anew."""

    def __call__(self, request: Q) -> A:
        """The function itself, for tests and for services that build on others; not inside a running loop."""
        answer = self.function(request)
        return asyncio.run(cast(Coroutine[Any, Any, A], answer)) if self.waits else cast(A, answer)

    @property
    def waits(self) -> bool:
        """Whether its function is `async`: it waits for others, and many calls of it run in one process at once."""
        return inspect.iscoroutinefunction(self.function)

    @cached_property
    def contract(self) -> Contract:
        """The contract that other packages read, as Avro records. Raises BadContract and BadRecord."""
        prefix = "".join(word.capitalize() for word in self.name.split("-"))
        return Contract(
            name=self.name,
            version=self.version,
            summary=self.summary,
            description=self.description,
            input=avro(self.request, f"{prefix}Input", prefix),
            output=avro(self.response, f"{prefix}Output", prefix),
            deterministic=self.deterministic,
            timeout=self.timeout,
            memory=self.memory,
            example=None if self.example is None else dict(self.example),
            label=self.label,
            keeps=self.keeps,
            dataset=self.dataset,
            trains=self.trains,
        )

    def model_status(self) -> tuple[ModelStatus, ...]:
        """The models of this service and whether their weights are here; cheap, loads none of them."""
        own = () if self.slot is None else (self.slot.status(self.name),)
        return (*own, *self.models())

    def invoke(self, record: Mapping[str, Any], objects: Mapping[str, bytes]) -> Invocation:
        """Runs the service on one input record; `objects` holds the bytes of its refs by their SHA-256.

        Raises InvalidInput when the input cannot be served (the caller's fault: trying again cannot help); anything else
        that is raised is the service's fault.
        """
        return self._made(self(self._bound(record, lambda ref: objects[ref.sha256])))

    def invoke_all(
        self, given: Sequence[tuple[Mapping[str, Any], Mapping[str, bytes]]]
    ) -> list[Invocation | Exception]:
        """Runs the function over many on several records with their objects; how each fared, in order.

        A request that cannot be served gets an InvalidInput; the others are answered. Raises what the function raises: no call has an answer then.
        """
        if self.many is None:
            raise BadService(f"service {self.name}: it has no function over many")
        found: list[Any] = []
        for record, objects in given:
            try:
                found.append(self._bound(record, lambda ref, objects=objects: objects[ref.sha256]))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001  # whatever it is, it is this one's
                found.append(error)
        requests = [one for one in found if not isinstance(one, Exception)]
        answers = list(self.many(requests)) if requests else []
        if len(answers) != len(requests):
            raise BadService(f"service {self.name}: it gave {len(answers)} answers to {len(requests)} requests")
        left = iter(answers)
        return [one if isinstance(one, Exception) else self._made_or_wrong(next(left)) for one in found]

    def _made_or_wrong(self, answer: A | Exception) -> Invocation | Exception:
        if isinstance(answer, Exception):
            return answer
        try:
            return self._made(answer)
        except Exception as error:  # noqa: BLE001  # an output that is wrong fails alone
            return error

    async def wait(self, record: Mapping[str, Any], objects: Mapping[str, bytes]) -> Invocation:
        """`invoke` of a service whose function waits, inside a running loop."""
        return self._made(await cast(Awaitable[A], self.function(self._bound(record, lambda ref: objects[ref.sha256]))))

    def _made(self, answer: A) -> Invocation:
        made: dict[str, Produced] = {}

        def store(object: Encoded) -> Ref:
            sha256 = hashlib.sha256(object.data).hexdigest()
            made.setdefault(sha256, Produced(sha256, object.media_type, object.data))
            return Ref("", "", len(object.data), sha256, object.media_type)

        output = unbind(answer, store)
        try:
            return Invocation(conform(self.contract.output, output), tuple(made.values()))
        except Nonconforming as error:
            raise BadOutput(f"service {self.name}: {error}") from error

    def _bound(self, record: Mapping[str, Any], fetch: Callable[[Ref], bytes]) -> Q:
        try:
            return bind(self.request, conform(self.contract.input, record), fetch)
        except Nonconforming as error:
            if len(error.problems) > 1:
                raise InvalidInput(str(error)) from error
            only = error.problems[0]
            raise InvalidInput(only.problem, only.hint, only.where) from error


def service(
    name: str,
    *,
    version: str,
    deterministic: bool = True,
    repeatable: bool = False,
    timeout: float = 30.0,
    memory: int = 1024,
    example: Mapping[str, Any] | None = None,
    models: Callable[[], tuple[ModelStatus, ...]] = tuple,
    preload: tuple[str, ...] = (),
    check: Callable[[], str] = str,
    remark: Callable[[], str] = str,
    label: str = "",
    keeps: str = "",
    slot: Slot[Any] | None = None,
    loads: Callable[[], object] | None = None,
    batch: int = 1,
    many: Callable[[list[Any]], Sequence[Any]] | None = None,
    dataset: str = "",
    trains: str = "",
) -> Callable[[Callable[[Q], A | Awaitable[A]]], Service[Q, A]]:
    """Makes a Service of a function from one Record to another; an `async` one is for services that wait for others.

    The first line of the module's docstring is its summary, the rest its description. What a service answers that is not
    `deterministic` is kept, so that a task that comes again has the same answer, and is not done again; one that only reads is
    `repeatable`: where the run's log keeps the answer, nothing else does. `models` says at worker start
    which weights are here; with a `slot` it says that of the model in it, which can be exchanged while the service runs.
    Where the response says `model` and `model_version`, every answer is kept as a prediction, and people can correct its
    field `label`; of its request, `keeps` is kept for training, which learns from `dataset` and these. A service that
    `trains` another one's model is what orders for a new model go to. Raises BadService for a function that is not typed, and
    for one under `agents/` that does not explain itself: with a description, an example, and a text for every input.
    """

    def made(function: Callable[[Q], A | Awaitable[A]]) -> Service[Q, A]:
        request, response = _records(name, function)
        if batch < 1 or (batch > 1 and inspect.iscoroutinefunction(function)) or (many is not None and batch == 1):
            raise BadService(
                f"service {name}: `batch` is how many calls a process takes together, 1 or more; a function that waits takes "
                "any number anyhow, and a function over `many` needs more than 1"
            )
        summary, _, description = inspect.cleandoc(sys.modules[function.__module__].__doc__ or "").partition("\n")
        if not summary:
            raise BadService(f"service {name}: its module needs a docstring; the first line is the catalogue's summary")
        missing = _unexplained(summary, description, example, request)
        if missing and function.__module__.startswith(_SHIPPED):
            raise BadService(f"service {name}: what the catalogue is to show is missing: " + "; ".join(missing))
        return Service(
            name=name,
            version=version,
            function=function,
            request=request,
            response=response,
            summary=summary.strip(),
            description=_paragraphs(description),
            deterministic=deterministic,
            repeatable=repeatable,
            timeout=timeout,
            memory=memory,
            example=example,
            models=models,
            preload=preload,
            check=check,
            remark=remark,
            label=label,
            keeps=keeps,
            slot=slot,
            loads=loads,
            batch=batch,
            many=many,
            dataset=dataset,
            trains=trains,
        )

    return made


def call(
    module: str, name: str, record: Mapping[str, Any], objects: Mapping[str, bytes], key: str = "", bundle: str = ""
) -> Invocation:
    """`Service.invoke` of the service `name` in `module`: what a pool child runs.

    `key` is what `calls.key` gives, `bundle` the folder of the model that serves this call; empty for the shipped one.
    """
    with call_context.known_as(key, bundle):
        return find(module, name).invoke(record, objects)


async def wait(
    module: str, name: str, record: Mapping[str, Any], objects: Mapping[str, bytes], key: str = "", bundle: str = ""
) -> Invocation:
    """`Service.wait` of the service `name` in `module`: what a waiting child runs."""
    with call_context.known_as(key, bundle):
        return await find(module, name).wait(record, objects)


def load(module: str, name: str, bundle: str) -> None:
    """Loads the models of a service in this process, so that no call waits for that. Raises what loading them raises."""
    service = find(module, name)
    with call_context.known_as("", bundle):
        if service.slot is not None:
            service.slot.loaded()
        if service.loads is not None:
            service.loads()


async def load_waiting(module: str, name: str, bundle: str) -> None:
    """`load` in a waiting child."""
    load(module, name, bundle)


@cache
def find(module: str, name: str) -> Service[Any, Any]:
    """The service `name` that a module defines. Raises ImportError, or BadService when there is none of that name."""
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, Service) and value.name == name:
            return value
    raise BadService(f"{module} defines no service {name!r}")


def _unexplained(summary: str, description: str, example: Mapping[str, Any] | None, request: type[Record]) -> list[str]:
    """What somebody who finds the service would look for in vain, all of it."""
    missing = []
    if not summary.endswith(".") or len(summary) > _SUMMARY:
        missing.append(f"the docstring's first line, one sentence of at most {_SUMMARY} characters with a full stop")
    if not description.strip():
        missing.append(
            "below that line and an empty one, a description: what the service does and what it leaves alone"
        )
    if example is None:
        missing.append(
            "an example, a call that works: @service(…, example={…}), with agents.imaging.example.PICTURE for an image"
        )
    missing += [
        f"the meaning of the input {field.name}: Annotated[…, Doc(…)]"
        for field in fields_of(request)
        if not field.doc.text
    ]
    return missing


def _paragraphs(text: str) -> str:
    """The text with one line a paragraph: where the file breaks its lines is nobody else's business."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


def _records(name: str, function: Callable[[Q], A | Awaitable[A]]) -> tuple[type[Q], type[A]]:
    hints = get_type_hints(function)
    response = hints.pop("return", None)
    kinds = [*hints.values(), response]
    if len(kinds) != 2 or not all(isinstance(kind, type) and issubclass(kind, Record) for kind in kinds):
        raise BadService(f"service {name}: its function must take one Record and return one, both annotated")
    return kinds[0], kinds[1]
