"""Schemas that anybody may have registered: read, and made whole with those of other subjects to which they refer."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from schemas.encoding import binary
from schemas.errors import BadSchema
from schemas.library import definitions, inline

T = TypeVar("T")
Answer = Mapping[str, Any]
"""What a registry says of a schema: its text as `schema`, and `references` of a name, a subject and a version each."""

_MOST = 100
"""Schemas to which one schema may refer, directly and by way of others."""


async def whole(answer: Answer, version: Callable[[str, int], Awaitable[Answer]]) -> Any:
    """Return the schema of an answer, in which every type of another subject is defined where it is first named.

    `version` asks for a version of a subject. Raises BadSchema for what may not be read with, and what `version` raises.
    """
    others: dict[str, Any] = {}
    seen: set[tuple[str, int]] = set()
    waiting = list(answer.get("references") or ())
    while waiting:
        reference = waiting.pop()
        place = (str(reference["subject"]), int(reference["version"]))
        if place in seen:
            continue
        if len(seen) == _MOST:
            raise BadSchema(f"it refers to more than {_MOST} others")
        seen.add(place)
        referred = await version(*place)
        waiting += referred.get("references") or ()
        for name, definition in _read(referred, definitions).items():
            if others.setdefault(name, definition) != definition:
                raise BadSchema(f"the schemas to which it refers define {name} in two ways")
    schema = _read(answer, lambda parsed: inline(parsed, others))
    binary.check(schema)
    return schema


def format_of(answer: Answer) -> str:
    """Return the format of a schema in the registry's words: AVRO, JSON, PROTOBUF. Raises BadSchema.

    Apicurio says Avro of everything under a subject that began with Avro, so a JSON Schema is known by its words as well.
    """
    said = str(answer.get("schemaType", "AVRO"))
    return "JSON" if said == "AVRO" and _read(answer, _is_json_schema) else said


def _is_json_schema(schema: Any) -> bool:
    return isinstance(schema, Mapping) and ("$schema" in schema or schema.get("type", "object") == "object")


def _read(answer: Answer, make: Callable[[Any], T]) -> T:
    try:
        return make(json.loads(answer["schema"]))
    except BadSchema:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadSchema(f"what is registered is no Avro schema: {type(error).__name__}: {error}") from error
