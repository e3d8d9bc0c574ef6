"""Models: their versions in the registry, choosing the one that serves, and training another one."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.api.json_response import json_response
from gateway.api.problems import Fault, Kind, Problem
from gateway.dependencies import CatalogueDep, IntakeDep, LimitsDep, ModelsDep
from gateway.http import body
from streams.runtime.models.champions import NoSuchVersion

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
async def listing(models: ModelsDep) -> Response:
    """List the champion of each slot, which is to serve; a slot without one, or not listed here, is served by its shipped model."""
    return json_response({"models": [version.document() for version in await models.list()]})


@router.get("/models/{slot}", summary="The versions of one service's model")
async def detail(slot: str, catalogue: CatalogueDep, models: ModelsDep) -> Response:
    """Return what is registered, and which model answers at this moment, as its workers announced it."""
    versions = await models.list(slot)
    live = catalogue.live_contracts().get(slot)
    if live is None and not versions:
        catalogue.service(slot)  # raises 404 with a similar name
    serves = catalogue.describe(live) if live else {}
    return json_response(
        {
            "slot": slot,
            "model": serves.get("model"),
            "model_version": serves.get("model_version"),
            "trained_by": catalogue.trainer(slot),
            "versions": [version.document() for version in versions],
        }
    )


@router.put("/models/{slot}/champion", summary="Let another version serve", openapi_extra=_CHAMPION)
async def use(slot: str, request: Request, limits: LimitsDep, models: ModelsDep) -> Response:
    """Move the alias `champion`; running workers swap within seconds, and no request is dropped. Going back works the same way."""
    fields = await body.read_json(request, limits)
    version = fields.get("version") if isinstance(fields, dict) and fields.keys() == {"version"} else None
    if not isinstance(version, str):
        fault = Fault("version", "the body is an object with a version", '{"version": "2"}')
        raise Problem(Kind.INVALID, "The body is not what this call takes.", [fault])
    try:
        champion = await models.promote(slot, version)
    except NoSuchVersion as error:
        raise Problem(Kind.NOT_FOUND, f"{error}.") from None
    return json_response(champion.document() | {"champion": True})


@router.delete("/models/{slot}/champion", summary="Let the shipped model serve again")
async def shipped(slot: str, models: ModelsDep) -> Response:
    """Remove the alias; `changed` says whether there was one."""
    return json_response({"slot": slot, "champion": None, "changed": await models.demote(slot)})


@router.post("/models/{slot}/retrain", status_code=202, summary="Order another model")
async def retrain(
    slot: str,
    request: Request,
    catalogue: CatalogueDep,
    intake: IntakeDep,
    callback_url: Annotated[str | None, Query()] = None,
) -> Response:
    """Start a run of the service that trains it, with that service's input; its epochs are events, as those of any run."""
    trainer = catalogue.trainer(slot)
    if trainer is None:
        slots = sorted({contract.trains for contract in catalogue.live_contracts().values() if contract.trains})
        fault = Fault("", f"no live service trains {slot}", f"there are {', '.join(slots)}" if slots else "")
        raise Problem(Kind.NOT_FOUND, f"No live service trains the model of {slot}.", [fault])
    return await intake.start(request, await catalogue.service_pipeline(trainer), callback_url)
