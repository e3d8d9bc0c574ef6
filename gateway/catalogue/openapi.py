"""The OpenAPI document: the fixed calls, and one typed call for each current pipeline and service."""

import copy
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.graph import is_automatic
from schemas.encoding.json_schema import IMAGE, json_schema
from schemas.primitives import Primitive
from schemas.shapes import Array, Field, RefShape, branches, record_shape

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ANY_PROBLEM = {"description": "What is wrong, where, and what to do.", "content": _PROBLEM}

COMPONENTS: Mapping[str, Any] = {
    "Ref": IMAGE,
    "ImageInput": {
        "description": "An image: a data URL, or the reference of a stored object, bare or as an output shows it.",
        "oneOf": [
            {"type": "string", "pattern": "^data:image/", "examples": ["data:image/jpeg;base64,…"]},
            {"$ref": "#/components/schemas/Ref"},
            {"$ref": "#/components/schemas/Image"},
        ],
    },
    "Image": {
        "type": "object",
        "description": "An image in an output: the reference, and the address of the bytes.",
        "properties": {"ref": {"$ref": "#/components/schemas/Ref"}, "href": {"type": "string"}},
        "required": ["ref"],
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457.",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in ("where", "problem", "hint")},
                },
            },
        },
        "required": ["type", "title", "status", "detail"],
    },
    "Accepted": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "status": {"type": "string"},
            "links": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "required": ["id", "status", "links"],
    },
}

_HEADERS = [
    {
        "name": "Prefer",
        "in": "header",
        "schema": {"type": "string"},
        "description": "`wait=N`: answer with the result if the run ends within N seconds.",
    },
    {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "maxLength": 255},
        "description": "The same key is the same run: 409 while it is running, its result when it has ended.",
    },
    {
        "name": "callback_url",
        "in": "query",
        "schema": {"type": "string", "format": "uri"},
        "description": "Where to POST the result; the installation says which hosts are allowed.",
    },
]


def document(app: FastAPI, catalogue: Catalogue) -> dict[str, Any]:
    """Return OpenAPI 3.1 with the current pipelines and services."""
    base = getattr(app.state, "openapi", None)
    if base is None:
        base = app.state.openapi = _fixed(app)
    openapi: dict[str, Any] = copy.deepcopy(base)
    for contract in catalogue.live_contracts().values():
        call = _call("services", contract.name, contract.summary, contract.description, contract.input, contract.output)
        if contract.example is not None:
            call["requestBody"]["content"]["application/json"]["example"] = contract.example
        openapi["paths"][f"/services/{contract.name}/runs"] = {"post": call}
    for version, topology in catalogue.active():
        if not is_automatic(topology):
            call = _call("pipelines", version.name, topology.summary, "", topology.input, topology.output)
            openapi["paths"][f"/pipelines/{version.name}/runs"] = {"post": call}
    return openapi


def _fixed(app: FastAPI) -> dict[str, Any]:
    openapi = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components = openapi.setdefault("components", {})
    components.setdefault("schemas", {}).update(COMPONENTS)
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    openapi["security"] = [{"key": []}]
    for calls in openapi["paths"].values():
        for call in calls.values():
            call["responses"].pop("422", None)
            call["responses"]["default"] = _ANY_PROBLEM
    return openapi


def _call(
    kind: str, name: str, summary: str, description: str, input: Mapping[str, Any], output: Mapping[str, Any]
) -> dict[str, Any]:
    schema = json_schema(input, ref={"$ref": "#/components/schemas/ImageInput"})
    output_schema = json_schema(output, output=True, ref={"$ref": "#/components/schemas/Image"})
    result = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "status": {"const": "finished"}, "output": output_schema},
        "required": ["id", "status", "output"],
    }
    return {
        "tags": [kind],
        "operationId": f"run-{kind.removesuffix('s')}-{name}",
        "summary": summary or f"Run {name}",
        "description": description,
        "parameters": _HEADERS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema}, "multipart/form-data": _multipart(input, schema)},
        },
        "responses": {
            "202": {
                "description": "The run is accepted; `Location` says where it is.",
                "headers": {"Location": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}},
            },
            "200": {
                "description": "The result, with `Prefer: wait`; or the events, with `Accept: text/event-stream`.",
                "content": {
                    "application/json": {"schema": result},
                    "text/event-stream": {"schema": {"type": "string"}},
                },
            },
            "default": _ANY_PROBLEM,
        },
    }


def _multipart(input: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an input as parts: images as files, lists and objects as JSON."""
    properties = dict(schema.get("properties", {}))
    encoding: dict[str, Any] = {}
    for field in record_shape(input).fields:
        if _holds(field, RefShape):
            properties[field.name] = {"type": "string", "format": "binary", "description": field.doc}
        elif _list_of_images(field):
            items = {"type": "string", "format": "binary"}
            properties[field.name] = {"type": "array", "items": items, "description": field.doc}
        elif not _holds(field, Primitive):
            encoding[field.name] = {"contentType": "application/json"}
    media: dict[str, Any] = {"schema": {**schema, "properties": properties}}
    return {**media, "encoding": encoding} if encoding else media


def _holds(field: Field, kind: type) -> bool:
    return any(isinstance(branch, kind) for branch in branches(field.shape))


def _list_of_images(field: Field) -> bool:
    return any(
        isinstance(branch, Array) and any(isinstance(item, RefShape) for item in branches(branch.items))
        for branch in branches(field.shape)
    )
