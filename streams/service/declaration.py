"""`@service`: makes a service of a typed function in a file of its own under `agents/`."""

import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar, get_type_hints

from streams.service.contract import Record, fields_of
from streams.service.invocation import BadService, Service
from streams.service.options import Options

Q = TypeVar("Q", bound=Record)
A = TypeVar("A", bound=Record)

_SHIPPED = "agents."
"""Where the services are that the catalogue shows to everyone."""
_SUMMARY = 100
"""Characters of a summary, at most."""


@dataclass(frozen=True)
class service(Options):  # noqa: N801  # used as a decorator: @service("image-blur", version="1.0.0")
    """Makes a Service of a function from one Record to another; an `async` function is for services that wait for others.

    The first line of the module's docstring is the service's summary, the rest its description. Each option is explained
    """

    name: str = field(kw_only=False)

    def __call__(self, function: Callable[[Q], A | Awaitable[A]]) -> Service[Q, A]:
        """Return the service of this function.

        Raises BadService for a function that is not typed, for options that contradict each other, and for a service under
        `agents/` that does not explain itself: with a description, an example, and a text for every input.
        """
        self._check_batch(function)
        request, response = self._records(function)
        summary, _, description = inspect.cleandoc(sys.modules[function.__module__].__doc__ or "").partition("\n")
        if not summary:
            raise BadService(
                f"service {self.name}: its module needs a docstring; the first line is the catalogue's summary"
            )
        missing = self._unexplained(summary, description, request)
        if missing and function.__module__.startswith(_SHIPPED):
            raise BadService(f"service {self.name}: what the catalogue is to show is missing: " + "; ".join(missing))
        return Service(
            **vars(self),
            function=function,
            request=request,
            response=response,
            summary=summary.strip(),
            description=_paragraphs(description),
        )

    def _check_batch(self, function: Callable[..., object]) -> None:
        waits = inspect.iscoroutinefunction(function)
        if self.batch < 1 or (self.batch > 1 and waits) or (self.many is not None and self.batch == 1):
            raise BadService(
                f"service {self.name}: `batch` is how many calls a process takes together, 1 or more; a function that waits "
                "takes any number anyhow, and a function over `many` needs more than 1"
            )

    def _records(self, function: Callable[[Q], A | Awaitable[A]]) -> tuple[type[Q], type[A]]:
        hints = get_type_hints(function)
        response = hints.pop("return", None)
        kinds = [*hints.values(), response]
        if len(kinds) != 2 or not all(isinstance(kind, type) and issubclass(kind, Record) for kind in kinds):
            raise BadService(f"service {self.name}: its function must take one Record and return one, both annotated")
        return kinds[0], kinds[1]

    def _unexplained(self, summary: str, description: str, request: type[Record]) -> list[str]:
        """Return everything that a reader of the catalogue would miss."""
        missing = []
        if not summary.endswith(".") or len(summary) > _SUMMARY:
            missing.append(
                f"the docstring's first line, one sentence of at most {_SUMMARY} characters with a full stop"
            )
        if not description.strip():
            missing.append(
                "below that line and an empty one, a description: what the service does and what it leaves alone"
            )
        if self.example is None:
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
    """Return the text with one line a paragraph, however the file breaks its lines."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n") if part.strip())
