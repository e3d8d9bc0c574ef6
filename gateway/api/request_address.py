"""Checks of a request's address that are the same for every call."""

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request

from gateway.api.problems import Fault, Kind, Problem
from streams.language.definition.parse import suggest

_KEY = "key"
"""The parameter that a link to any page may carry; a client that needs no key may leave it there."""
_LONGEST = 60
"""Characters of a name up to which a similar one is suggested."""
_MOST = 20
"""Problems that are listed, at most."""


async def is_understood(request: Request) -> None:
    """Refuse parameters that the call does not take, and NUL characters, which no name has. Raises Problem (404, 422)."""
    path = request.scope["path"]
    if "\0" in path:
        raise Problem(Kind.NOT_FOUND, f"{path:.200} does not exist: no name has a NUL character (%00).")
    route = request.scope["route"]
    declared = _declared(route.dependant) if isinstance(route, APIRoute) else set()
    faults = []
    for name, value in request.query_params.multi_items():
        if "\0" in name + value:
            faults.append(Fault(f"query.{name:.{_LONGEST}}", "text with a NUL character (%00) in it"))
        elif name not in declared and name != _KEY:
            faults.append(
                Fault(f"query.{name:.{_LONGEST}}", "this call takes no such parameter", _hint(name, declared))
            )
    if faults:
        raise Problem(Kind.INVALID, "Some parameters are not what this call takes.", faults[:_MOST])


def _declared(dependant: Dependant) -> set[str]:
    """Return the names of the query parameters of a route and its dependencies."""
    names: set[str] = set()
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):  # a parameter for each of its fields
            names |= {field.alias or name for name, field in model.model_fields.items()}
        else:
            names.add(str(parameter.alias))
    return names.union(*(_declared(dependency) for dependency in dependant.dependencies))


def _hint(name: str, declared: set[str]) -> str:
    if not declared:
        return "it takes none"
    return suggest(name if len(name) <= _LONGEST else "", declared)
