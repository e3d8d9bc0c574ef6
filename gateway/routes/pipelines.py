"""Pipelines: reading, writing and removing their definitions, and running them."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.api.json_response import json_response
from gateway.api.problems import Kind, Problem
from gateway.catalogue.definitions import Condition
from gateway.catalogue.graph import graph, is_automatic
from gateway.dependencies import CatalogueDep, DefinitionsDep, IntakeDep, LimitsDep
from gateway.http import body
from gateway.routes.versions import read_trial, trial_of
from schemas.encoding.json_schema import json_schema
from streams.language.topology import Topology
from streams.render.mermaid import mermaid
from streams.runtime.catalogue.version import Owner, Version
from streams.timestamps import moment

router = APIRouter(tags=["pipelines"])

_TAKEN = ("", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain", "application/json")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}


class PipelineFormat(StrEnum):
    """The formats in which a pipeline is shown."""

    JSON = "json"
    YAML = "yaml"
    MERMAID = "mermaid"


@router.get("/pipelines", summary="The pipelines")
async def listing(catalogue: CatalogueDep) -> Response:
    """Each with its summary, digest, input and output; those of single services are marked `automatic`."""
    return json_response({"pipelines": [_summary(version, topology) for version, topology in catalogue.active()]})


@router.get("/pipelines/{name}", summary="One pipeline")
async def detail(
    name: str, catalogue: CatalogueDep, format: Annotated[PipelineFormat, Query()] = PipelineFormat.JSON
) -> Response:
    """Its definition, digest, input, output and graph; with `format`, its Mermaid diagram or its source."""
    version, topology = await catalogue.pipeline(name)
    headers = {"ETag": f'"{version.etag}"'}
    match format:
        case PipelineFormat.MERMAID:
            return Response(mermaid(topology), 200, headers, "text/vnd.mermaid; charset=utf-8")
        case PipelineFormat.YAML:
            return Response(version.source, 200, headers, "application/yaml")
    return json_response(_document(version, topology), 200, headers)


@router.put("/pipelines/{name}", summary="Define or change a pipeline", openapi_extra=_BODY)
async def define(
    name: str,
    request: Request,
    limits: LimitsDep,
    definitions: DefinitionsDep,
    canary: Annotated[str | None, Query(description="Try the change for this share of the runs: `10%`.")] = None,
    shadow: Annotated[bool, Query(description="Try the change on every request, unseen.")] = False,
) -> Response:
    """YAML or JSON. Every problem is listed at once (422). `If-Match` changes only what was read; `If-None-Match: *` only makes."""
    kind = body.media_type(request)
    if kind not in _TAKEN:
        raise Problem(Kind.MEDIA, f"{kind} is not taken; send the pipeline as application/yaml or application/json.")
    text = _text(await body.read(request, limits.definition))
    condition, trial = Condition.of(request.headers), read_trial(canary, shadow)
    version, topology, created = await definitions.define(name, text, condition, trial)
    headers = {"ETag": f'"{version.etag}"', **({"Location": f"/pipelines/{name}"} if created else {})}
    return json_response(_document(version, topology), 201 if created else 200, headers)


@router.delete("/pipelines/{name}", status_code=204, summary="Take a pipeline out of use")
async def remove(name: str, request: Request, definitions: DefinitionsDep) -> Response:
    """Remove it; open runs continue. `If-Match` removes only the version that was read."""
    await definitions.remove(name, Condition.of(request.headers))
    return Response(status_code=204)


@router.post("/pipelines/{name}/runs", status_code=202, summary="Run a pipeline", include_in_schema=False)
async def run(
    name: str,
    request: Request,
    catalogue: CatalogueDep,
    intake: IntakeDep,
    callback_url: Annotated[str | None, Query()] = None,
) -> Response:
    """Take JSON or multipart; answer 202, the event stream, or the result, as `Accept` and `Prefer` say."""
    return await intake.start(request, await catalogue.runnable(name), callback_url)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(Kind.BAD_REQUEST, f"The definition is not UTF-8 text (byte {error.start}).") from None


def _summary(version: Version, topology: Topology) -> dict[str, Any]:
    name = version.name
    return {
        "name": name,
        "summary": topology.summary,
        "digest": version.digest,
        "etag": version.etag,
        "owner": version.owner.value,
        "read_only": version.owner is Owner.GIT,
        "automatic": is_automatic(topology),
        **({"trial": trial_of(version)} if version.candidate else {}),
        "changed_at": moment(version.at),
        "services": {service: use.version for service, use in sorted(topology.services.items())},
        "input": json_schema(topology.input),
        "output": json_schema(topology.output, output=True),
        "links": {
            "self": f"/pipelines/{name}",
            "runs": f"/pipelines/{name}/runs",
            "versions": f"/pipelines/{name}/versions",
            "mermaid": f"/pipelines/{name}?format=mermaid",
        },
    }


def _document(version: Version, topology: Topology) -> dict[str, Any]:
    return {
        **_summary(version, topology),
        "timeout": topology.timeout,
        "definition": version.source,
        "graph": graph(topology),
    }
