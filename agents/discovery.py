"""List services by their files, and import one only when it is loaded."""

import ast
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from streams.errors import Blame, MillraceError
from streams.service.child_calls import find
from streams.service.invocation import BadService, Service

_PACKAGE = "agents.services"


class UnknownService(MillraceError, KeyError):
    """Raised when no file under `agents/services/` defines a service of this name."""

    blame = Blame.CALLER

    def __str__(self) -> str:
        return str(self.args[0])


@cache
def registry() -> Mapping[str, str]:
    """Return the module of each service, sorted by name: `image-blur` is in `agents.services.image_blur`.

    Files are read, not run. Raises BadService for a file that is not named like its service.
    """
    modules: dict[str, str] = {}
    for file in sorted(resources.files(_PACKAGE).iterdir(), key=lambda entry: entry.name):
        stem, dot, ending = file.name.partition(".")
        if (dot, ending) != (".", "py"):
            continue
        for name in _declared(file.read_text(encoding="utf-8")):
            if name.replace("-", "_") != stem:
                raise BadService(
                    f"agents/services/{file.name} defines the service {name!r}: name the file after its service"
                )
            modules[name] = f"{_PACKAGE}.{stem}"
    return MappingProxyType(modules)


def load(name: str) -> Service[Any, Any]:
    """Import and return a service. Raises UnknownService, which suggests a similar name."""
    module = registry().get(name)
    if module is None:
        near = get_close_matches(name, registry(), 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(registry())}"
        raise UnknownService(f"no service {name!r}: {hint}")
    return find(module, name)


def _declared(text: str) -> Iterator[str]:
    """Yield the names in `@service("…")` of a file."""
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for decorator in (decorator for function in functions for decorator in function.decorator_list):
        match decorator:
            case ast.Call(func=ast.Name(id="service"), args=[ast.Constant(value=str(name)), *_]):
                yield name
