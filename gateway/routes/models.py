"""Models: their versions in the registry, which of them is to serve, and ordering another one."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.api.json_response import json_response
from gateway.api.problems import Fault, Kind, Problem
from gateway.catalogue import catalogue
from gateway.dependencies import Connected, Parts, Shared
from gateway.http import body
from gateway.submission.answers import start
from streams.runtime.models import champions
from streams.runtime.models.champions import NoSuchVersion, RegisteredVersion

router = APIRouter(tags=["models"])

_CHAMPION = body.described(
    {
        "type": "object",
        "properties": {"version": {"type": "string", "description": "Its number, or its twelve digits."}},
        "required": ["version"],
        "additionalProperties": False,
    },
    required=True,
)


@router.get("/models", summary="The registered versions of models, oldest first")
async def listing(parts: Parts = Shared) -> Response:
    """The champion of each slot is to serve; a slot without one, as one that is not here, is served by its shipped model."""
    return json_response({"models": [one.document() for one in await _versions(parts, None)]})


@router.get("/models/{slot}", summary="The versions of one service's model")
async def detail(slot: str, parts: Parts = Connected) -> Response:
    """What is registered, and which model answers at this moment, as its workers announced it."""
    known = await _versions(parts, slot)
    live = parts.services.contracts().get(slot)
    if live is None and not known:
        catalogue.service(parts, slot)  # 404, with what is near
    serves = catalogue.describe_service(parts, live) if live else {}
    return json_response(
        {
            "slot": slot,
            "model": serves.get("model"),
            "model_version": serves.get("model_version"),
            "trained_by": _trainer(parts, slot),
            "versions": [one.document() for one in known],
        }
    )


@router.put("/models/{slot}/champion", summary="Let another version serve", openapi_extra=_CHAMPION)
async def use(slot: str, request: Request, parts: Parts = Shared) -> Response:
    """Moves the alias `champion`; running workers swap within seconds, and no request is dropped. So does going back."""
    given = await body.read_json(request, parts.limits)
    version = given.get("version") if isinstance(given, dict) and given.keys() == {"version"} else None
    if not isinstance(version, str):
        fault = Fault("version", "the body is an object with a version", '{"version": "2"}')
        raise Problem(Kind.INVALID, "The body is not what this call takes.", [fault])
    try:
        async with champions.connected(parts.settings) as connection:
            if connection is None:
                raise NoSuchVersion("there is no registry of models yet: nothing was trained here")
            found = await champions.promote(connection, slot, version)
    except NoSuchVersion as error:
        raise Problem(Kind.NOT_FOUND, f"{error}.") from None
    return json_response(found.document() | {"champion": True})


@router.delete("/models/{slot}/champion", summary="Let the shipped model serve again")
async def shipped(slot: str, parts: Parts = Shared) -> Response:
    """Takes the alias away. Whether there was one."""
    async with champions.connected(parts.settings) as connection:
        moved = connection is not None and await champions.demote(connection, slot)
    return json_response({"slot": slot, "champion": None, "changed": moved})


@router.post("/models/{slot}/retrain", status_code=202, summary="Order another model")
async def retrain(
    slot: str, request: Request, parts: Parts = Connected, callback_url: Annotated[str | None, Query()] = None
) -> Response:
    """A run of the service that trains it, with that service's input; its epochs are events, as those of any run."""
    trainer = _trainer(parts, slot)
    if trainer is None:
        known = {one.trains: one.name for one in parts.services.contracts().values() if one.trains}
        fault = Fault("", f"no live service trains {slot}", f"there are {', '.join(sorted(known))}" if known else "")
        raise Problem(Kind.NOT_FOUND, f"No live service trains the model of {slot}.", [fault])
    return await start(parts, request, await catalogue.service_pipeline(parts, trainer), callback_url)


def _trainer(parts: Parts, slot: str) -> str | None:
    return next((one.name for one in parts.services.contracts().values() if one.trains == slot), None)


async def _versions(parts: Parts, slot: str | None) -> list[RegisteredVersion]:
    async with champions.connected(parts.settings) as connection:
        return [] if connection is None else await champions.versions(connection, slot)
