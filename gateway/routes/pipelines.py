"""Pipelines: reading, writing and removing their definitions, and running them."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway import body, catalogue
from gateway.graph import graph, is_automatic
from gateway.parts import Parts, Shared
from gateway.problems import Fault, Kind, Problem
from gateway.render import moment
from gateway.routes.runs import answer
from gateway.start import start
from schemas import compat
from schemas.codec import value_subject
from schemas.errors import Incompatible
from schemas.json_schema import json_schema
from schemas.results import result_schema
from streams.compile import compile_pipeline
from streams.errors import PipelineErrors
from streams.render.mermaid import mermaid
from streams.runtime.pipelines import Conflict, Owner, Version
from streams.topology import Topology

router = APIRouter(tags=["pipelines"])

_TAKEN = ("", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain", "application/json")
_PATIENCE = 30.0
"""Seconds that making a pipeline's topics and publishing it may take."""


class Form(StrEnum):
    """How a pipeline is shown."""

    JSON = "json"
    YAML = "yaml"
    MERMAID = "mermaid"


@router.get("/pipelines", summary="The pipelines")
async def listing(parts: Parts = Shared) -> Response:
    """Each with its summary, digest, input and output; those of single services are marked `automatic`."""
    found = []
    for version in parts.pipelines.active().values():
        topology = parts.pipelines.topology(version.digest)
        if topology is not None:
            found.append(_summary(version, topology))
    return answer({"pipelines": found})


@router.get("/pipelines/{name}", summary="One pipeline")
async def detail(name: str, parts: Parts = Shared, format: Annotated[Form, Query()] = Form.JSON) -> Response:
    """Its definition, digest, input, output and graph; with `format`, its Mermaid diagram or its source."""
    version, topology = catalogue.pipeline(parts, name)
    headers = {"ETag": f'"{version.etag}"'}
    match format:
        case Form.MERMAID:
            return Response(mermaid(topology), 200, headers, "text/vnd.mermaid; charset=utf-8")
        case Form.YAML:
            return Response(version.source, 200, headers, "application/yaml")
    return answer(_document(version, topology), 200, headers)


@router.put(
    "/pipelines/{name}",
    summary="Define or change a pipeline",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/yaml": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
            },
        }
    },
)
async def define(name: str, request: Request, parts: Parts = Shared) -> Response:
    """YAML or JSON. Every problem is listed at once (422). `If-Match` changes only what was read; `If-None-Match: *` only makes."""
    kind = body.media_type(request)
    if kind not in _TAKEN:
        raise Problem(Kind.MEDIA, f"{kind} is not taken; send the pipeline as application/yaml or application/json.")
    text = _text(await body.read(request, parts.limits.definition))
    current = _writable(parts, name)
    expected = _expected(request, current)
    topology = await _compiled(parts, name, text)
    made = current is None
    if not made:
        await catalogue.within(_PATIENCE, _compatible(parts, topology))
    version = await catalogue.within(_PATIENCE, _publish(parts, topology, text, expected, request))
    headers = {"ETag": f'"{version.etag}"', **({"Location": f"/pipelines/{name}"} if made else {})}
    return answer(_document(version, topology), 201 if made else 200, headers)


@router.delete("/pipelines/{name}", status_code=204, summary="Take a pipeline out of use")
async def remove(name: str, request: Request, parts: Parts = Shared) -> Response:
    """Runs under way go on. `If-Match` removes only what was read."""
    catalogue.pipeline(parts, name)
    current = _writable(parts, name)
    expected = _expected(request, current)
    try:
        await catalogue.within(_PATIENCE, parts.pipelines.remove(name, expected))
    except Conflict as conflict:
        raise _conflict(conflict, request) from None
    except KeyError:
        pass  # somebody else was faster, and it is gone
    return Response(status_code=204)


@router.post("/pipelines/{name}/runs", status_code=202, summary="Run a pipeline", include_in_schema=False)
async def run(
    name: str, request: Request, parts: Parts = Shared, callback_url: Annotated[str | None, Query()] = None
) -> Response:
    """Takes JSON or multipart; answers 202, the event stream, or the result, as `Accept` and `Prefer` say."""
    if parts.pipelines.version(name) is None and name in parts.services.contracts():
        return await start(parts, request, await catalogue.service_pipeline(parts, name), callback_url)
    return await start(parts, request, catalogue.pipeline(parts, name)[1], callback_url)


async def _compiled(parts: Parts, name: str, text: str) -> Topology:
    known = catalogue.contracts(parts)
    library = catalogue.Specs(parts.pipelines.active())
    try:
        topology = await asyncio.to_thread(compile_pipeline, text, known, library, f"{name}.yaml")
    except PipelineErrors as error:
        count = len(error.problems)
        raise Problem(
            Kind.INVALID_PIPELINE, f"The pipeline has {count} problem{'s' if count > 1 else ''}.", error.problems
        ) from None
    if topology.name != name:
        fault = Fault(
            "pipeline", f"the definition is of {topology.name!r}, the address of {name!r}", "make them the same"
        )
        raise Problem(Kind.INVALID_PIPELINE, "The name does not fit the address.", [fault])
    return topology


async def _compatible(parts: Parts, topology: Topology) -> None:
    """Raises Problem (422) when waiting requests, or who reads the results, could not go on with a new version."""
    names, registry = parts.connections.names, parts.connections.registry
    asked = await registry.latest(value_subject(names.requests(topology.name)))
    answered = await registry.latest(value_subject(names.results(topology.name)))
    new = result_schema(topology.name, topology.output)
    faults = [
        Fault(
            "input", f"what callers send now would not be taken: {why}", "give new inputs a default; keep the old ones"
        )
        for why in (compat.problems(reader=topology.input, writer=asked) if asked is not None else ())
    ] + [
        Fault("output", f"who reads the results now could not read them: {why}", "keep every output, and its type")
        for why in (compat.problems(reader=answered, writer=new) if answered is not None else ())
    ]
    if faults:
        raise Problem(
            Kind.INVALID_PIPELINE, "It does not fit what others send and read now; use another name for it.", faults
        )


async def _publish(parts: Parts, topology: Topology, text: str, expected: str | None, request: Request) -> Version:
    names, registry = parts.connections.names, parts.connections.registry
    try:
        await registry.id_of(value_subject(names.requests(topology.name)), topology.input)
        await registry.id_of(value_subject(names.results(topology.name)), result_schema(topology.name, topology.output))
        return await parts.pipelines.publish(topology, text, Owner.HTTP, expected)
    except Incompatible as error:
        faults = [Fault(error.subject, one, "use another name") for one in error.problems]
        raise Problem(Kind.INVALID_PIPELINE, "The registry does not take its records.", faults) from None
    except Conflict as conflict:
        raise _conflict(conflict, request) from None


def _writable(parts: Parts, name: str) -> Version | None:
    """The active version, if there is one. Raises Problem (409) when it may not be changed over HTTP."""
    current = parts.pipelines.version(name)
    if current is not None and current.owner is Owner.GIT:
        raise Problem(Kind.READ_ONLY, f"{name} is kept in git: change its file there, or use another name.")
    if current is None and name in catalogue.contracts(parts):
        raise Problem(
            Kind.READ_ONLY, f"{name} is a service, and every service is a pipeline of its own: use another name."
        )
    return current


def _expected(request: Request, current: Version | None) -> str | None:
    """The etag that the caller has seen ("" for: none); None when it says nothing. Raises Problem (412)."""
    wanted = request.headers.get("if-match")
    etag = f'"{current.etag}"' if current else None
    if wanted is not None:
        tags = [one.strip() for one in wanted.split(",")]
        if current is None or ("*" not in tags and etag not in tags):
            raise Problem(Kind.STALE, f"The pipeline is at {etag or 'nothing: it does not exist'} now; read it again.")
        return current.etag
    if request.headers.get("if-none-match", "").strip() == "*":
        if current is not None:
            raise Problem(Kind.STALE, f"The pipeline exists already, at {etag}.")
        return ""
    return None


def _conflict(conflict: Conflict, request: Request) -> Problem:
    conditional = "if-match" in request.headers or "if-none-match" in request.headers
    return Problem(Kind.STALE if conditional else Kind.CONFLICT, f"{conflict}.")


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
        "changed_at": moment(version.at),
        "services": {service: use.version for service, use in sorted(topology.services.items())},
        "input": json_schema(topology.input),
        "output": json_schema(topology.output, output=True),
        "links": {
            "self": f"/pipelines/{name}",
            "runs": f"/pipelines/{name}/runs",
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
