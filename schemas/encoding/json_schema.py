"""Avro schemas as JSON Schema (2020-12, as OpenAPI 3.1 takes it), for the documentation of the API."""

from collections.abc import Mapping
from typing import Any

from schemas.primitives import Primitive
from schemas.shapes import (
    AnyShape,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Record,
    RefShape,
    Shape,
    Union,
    shape,
)
from schemas.validation.scalars import MAX_DEPTH

IMAGE: Mapping[str, Any] = {
    "title": "Image",
    "description": "A reference to an image or other object in S3.",
    "type": "object",
    "properties": {
        "bucket": {"type": "string"},
        "key": {"type": "string"},
        "size": {"type": "integer", "minimum": 0, "description": "Bytes."},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "media_type": {"type": "string", "examples": ["image/jpeg"]},
    },
    "required": ["bucket", "key", "size", "sha256", "media_type"],
    "additionalProperties": False,
}


def json_schema(schema: Any, *, output: bool = False, ref: Mapping[str, Any] = IMAGE) -> dict[str, Any]:
    """Return the JSON Schema of what `conform` accepts or, for an `output`, of what `to_json` returns (where no field is missing).

    `ref` stands wherever the record holds a reference to an object, for instance `{"$ref": "#/components/schemas/Image"}`.
    """
    return _Writer(output, ref).write(shape(schema))


class _Writer:
    def __init__(self, output: bool, ref: Mapping[str, Any]) -> None:
        self.output = output
        self.ref = ref

    def write(self, of: Shape) -> dict[str, Any]:
        match of:
            case Primitive():
                return dict(of.json_schema)
            case RefShape():
                return dict(self.ref)
            case AnyShape():
                return {"description": f"Any JSON value, at most {MAX_DEPTH} levels deep."}
            case Array():
                return {"type": "array", "items": self.write(of.items)}
            case Map():
                return {"type": "object", "additionalProperties": self.write(of.values)}
            case Enum():
                return {"type": "string", "enum": list(of.symbols)}
            case Fixed():
                return {"type": "string", "contentEncoding": "base64", "description": f"{of.size} bytes."}
            case Union():
                return self._union(of)
            case Record():
                return self._record(of)

    def _union(self, of: Union) -> dict[str, Any]:
        kinds = [self.write(branch) for branch in of.branches]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}

    def _record(self, of: Record) -> dict[str, Any]:
        document: dict[str, Any] = {"title": of.name.rpartition(".")[2], "type": "object"}
        if of.doc:
            document["description"] = of.doc
        document["properties"] = {field.name: self._field(field) for field in of.fields}
        document["required"] = [field.name for field in of.fields if field.required or self.output]
        document["additionalProperties"] = False
        return document

    def _field(self, field: Field) -> dict[str, Any]:
        document = _bound(self.write(field.shape), _bounds(field))
        if field.doc:
            document = _beside(document, "description", field.doc)
        if not field.required and not self.output:
            document = _beside(document, "default", field.default)
        return document


def _beside(schema: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return the schema with one more keyword; a reference is wrapped, since many readers ignore what is beside `$ref`."""
    return {"allOf": [schema], key: value} if "$ref" in schema else {**schema, key: value}


def _bounds(field: Field) -> dict[str, Any]:
    bounds = {"minimum": field.minimum, "maximum": field.maximum, "enum": list(field.enum) if field.enum else None}
    return {key: value for key, value in bounds.items() if value is not None}


def _bound(schema: dict[str, Any], bounds: dict[str, Any]) -> dict[str, Any]:
    """Put bounds on the values that they apply to: the items of a list, the branches of a union except null."""
    if not bounds:
        return schema
    if "anyOf" in schema:
        return {
            **schema,
            "anyOf": [branch if branch.get("type") == "null" else _bound(branch, bounds) for branch in schema["anyOf"]],
        }
    if schema.get("type") == "array":
        return {**schema, "items": _bound(schema["items"], bounds)}
    return {**schema, **bounds}
