"""Services: the live catalogue, and running one alone."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.api.json_response import json_response
from gateway.catalogue import catalogue
from gateway.dependencies import Connected, Parts
from gateway.submission.answers import start

router = APIRouter(tags=["services"])


@router.get("/services", summary="The services that have a live worker")
async def listing(parts: Parts = Connected) -> Response:
    """Each with its summary, description, input and output as JSON Schema, workers, model and an example."""
    live = parts.services.contracts()
    return json_response({"services": [catalogue.describe_service(parts, one) for one in live.values()]})


@router.get("/services/{name}", summary="One service")
async def detail(name: str, parts: Parts = Connected) -> Response:
    """What the catalogue says of it. 404 when no live worker serves it."""
    return json_response(catalogue.describe_service(parts, catalogue.service(parts, name)))


@router.post("/services/{name}/runs", status_code=202, summary="Run a service alone", include_in_schema=False)
async def run(
    name: str, request: Request, parts: Parts = Connected, callback_url: Annotated[str | None, Query()] = None
) -> Response:
    """The same as a run of the pipeline that has the service's name."""
    return await start(parts, request, await catalogue.service_pipeline(parts, name), callback_url)
