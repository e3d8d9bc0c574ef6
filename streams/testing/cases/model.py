"""One entry of `tests:` as its author wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streams.language.source.document import Place
from streams.messages import Fault


@dataclass(frozen=True)
class Giving:
    """A mock that gives a service's output; `value` may hold expressions over the inputs and `given`."""

    place: Place
    value: Any


@dataclass(frozen=True)
class Failing:
    """A mock that fails: always, or in its first `attempts` only, and then answers with `then`."""

    place: Place
    reason: str
    fault: Fault
    attempts: int | None = None
    then: "Giving | Failing | None" = None


Answer = Giving | Failing


@dataclass(frozen=True)
class Answers:
    """A list of answers: for the positions of the loops around the node, outermost first, and below them for attempts."""

    place: Place
    each: "tuple[Answer | Answers, ...]"


@dataclass(frozen=True)
class Mock:
    """What stands for one node; `path` may say which execution of it (`faces[1].cut`), or mean all of them (`faces.cut`)."""

    path: str
    place: Place
    answers: Answer | Answers


@dataclass(frozen=True)
class ExpectedFailure:
    """How a run must fail; what is None is not looked at. `reason` must be part of the reason."""

    place: Place
    fault: Fault | None = None
    reason: str | None = None
    at: str | None = None


@dataclass(frozen=True)
class Expect:
    """What a run must give. Only the fields of the output that are named are compared; skips are compared when they are named."""

    place: Place
    output: Mapping[str, Any]
    output_place: Place
    skipped: tuple[str, ...] | None = None
    failure: ExpectedFailure | None = None


@dataclass(frozen=True)
class Case:
    """One test."""

    name: str
    place: Place
    data: Mapping[str, Any]
    """The entry itself."""
    mocks: tuple[Mock, ...]
    expect: Expect
    fair: bool
    """Whether it runs in fair weather only."""
