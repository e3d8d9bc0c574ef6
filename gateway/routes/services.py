"""Services: the live catalogue, and running one alone."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.api.json_response import json_response
from gateway.dependencies import CatalogueDep, IntakeDep

router = APIRouter(tags=["services"])


@router.get("/services", summary="The services that have a live worker")
async def listing(catalogue: CatalogueDep) -> Response:
    """Each with its summary, description, input and output as JSON Schema, workers, model and an example."""
    contracts = catalogue.live_contracts().values()
    return json_response({"services": [catalogue.describe(contract) for contract in contracts]})


@router.get("/services/{name}", summary="One service")
async def detail(name: str, catalogue: CatalogueDep) -> Response:
    """Return what the catalogue says of it. 404 when no live worker serves it."""
    return json_response(catalogue.describe(catalogue.service(name)))


@router.post("/services/{name}/runs", status_code=202, summary="Run a service alone", include_in_schema=False)
async def run(
    name: str,
    request: Request,
    catalogue: CatalogueDep,
    intake: IntakeDep,
    callback_url: Annotated[str | None, Query()] = None,
) -> Response:
    """Start a run of the pipeline that has the service's name."""
    return await intake.start(request, await catalogue.service_pipeline(name), callback_url)
