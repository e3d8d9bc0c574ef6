"""Descriptions of the API: OpenAPI with the current pipelines and services, its page, and AsyncAPI for the topics."""

from importlib import resources

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from gateway.catalogue import openapi
from gateway.dependencies import CatalogueDep, ConnectionsDep, SettingsDep
from gateway.http.response_headers import PAGE_POLICY
from streams.render.asyncapi import asyncapi

router = APIRouter(tags=["docs"])

_ASSETS = {
    "swagger-ui-bundle.js": ("fastapi_offline", "static", "text/javascript"),
    "swagger-ui.css": ("fastapi_offline", "static", "text/css"),
    "start.js": ("gateway", "web", "text/javascript"),
}


@router.get("/openapi.json", summary="This API, with every pipeline and service of the moment")
async def openapi_document(request: Request, catalogue: CatalogueDep) -> Response:
    """Return OpenAPI 3.1."""
    return JSONResponse(openapi.document(request.app, catalogue))


@router.get("/asyncapi.json", summary="The topics, for Kafka producers and consumers")
async def asyncapi_document(settings: SettingsDep, connections: ConnectionsDep, catalogue: CatalogueDep) -> Response:
    """Return AsyncAPI 3.0."""
    topologies = [topology for _, topology in catalogue.active()]
    names = connections.names
    return JSONResponse(asyncapi(topologies, names, kafka=settings.kafka, registry=settings.registry))


@router.get("/docs", include_in_schema=False)
async def page() -> Response:
    """Return the page of the API."""
    text = resources.files("gateway").joinpath("web", "docs.html").read_text(encoding="utf-8")
    return HTMLResponse(text, headers={"Content-Security-Policy": PAGE_POLICY})


@router.get("/docs/{name}", include_in_schema=False)
async def asset(name: str) -> Response:
    """Return an asset of the page from an installed package: nothing is loaded from another host."""
    if name not in _ASSETS:
        raise HTTPException(404)
    package, folder, kind = _ASSETS[name]
    data = resources.files(package).joinpath(folder, name).read_bytes()
    return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})
