"""The options of `@service` in three groups: how a call runs, what its model learns from, what the catalogue shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.service.model_slot import Slot
from streams.service.model_status import ModelStatus


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a call runs, and what it may take."""

    deterministic: bool = True
    """Whether the same input always gives the same output. If not, the output is stored before it is published, so that a
    task that is delivered again gets the same one."""
    repeatable: bool = False
    """Whether running it again does no harm: it changes nothing, though its output may differ. Nothing is stored for it."""
    timeout: float = 30.0
    """Seconds that one call may take."""
    memory: int = 1024
    """MiB that one call may take."""
    batch: int = 1
    """Calls that a process takes together when many wait, at most."""
    many: Callable[[list[Any]], Sequence[Any]] | None = None
    """The function over many requests, if there is one: returns a response or an exception for each, in order."""
    preload: tuple[str, ...] = ()
    """Modules that its function imports when called: imported once by a pool, before it forks its children."""
    loads: Callable[[], object] | None = None
    """Loads what its function needs besides the slot's model, in every process, so that no call waits for it."""


@dataclass(frozen=True, kw_only=True)
class Learning:
    """Where its model is, and what people's corrections add to.

    A response with the fields `model` and `model_version` is kept as a prediction.
    """

    slot: Slot[Any] | None = None
    """The model, if it is one that can be exchanged while the service runs."""
    label: str = ""
    """The response's field that a person can correct when the model was wrong; empty when there is none."""
    keeps: str = ""
    """The request's field whose object is kept for training; `*`: the whole request, as JSON."""
    dataset: str = ""
    """The dataset of the data catalogue that its model learns from; corrections make further versions of it."""
    trains: str = ""
    """The service whose model it trains: it gets the orders for a new one."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What the catalogue shows."""

    example: Mapping[str, Any] | None = None
    """A request in JSON form that works; required of a service under `agents/`."""
    models: Callable[[], tuple[ModelStatus, ...]] = tuple
    """Says when a worker starts which weights are there, besides the slot's model."""
    check: Callable[[], str] = str
    """Says in a few words why the service cannot serve here; empty when it can. Until then its worker takes no calls."""
    remark: Callable[[], str] = str
    """Says when a worker starts what callers should know of a service that serves all the same; empty when nothing."""


@dataclass(frozen=True, kw_only=True)
class Options(Execution, Learning, Listing):
    """Everything that a service declares besides its function."""

    name: str
    """Lower-case words joined by dashes: `image-blur`."""
    version: str
    """`major.minor.patch`; a new major version has a topic of its own."""
