"""Checks whether a new schema can read what an old one wrote, as Apache's own implementation of Avro judges it."""

import json
from typing import Any

from avro.compatibility import (
    ReaderWriterCompatibilityChecker,
    SchemaCompatibilityResult,
    SchemaCompatibilityType,
    lookup_writer_field,
    schema_name_equals,
)
from avro.errors import AvroException
from avro.schema import ArraySchema, MapSchema, RecordSchema, Schema, UnionSchema, parse

from schemas.errors import BadSchema
from schemas.library import inline


def problems(*, reader: Any, writer: Any) -> list[str]:
    """Return every reason why the new `reader` schema cannot read records of the old `writer` schema; empty when it can.

    Raises BadSchema when either is not an Avro schema.
    """
    return _problems(_parse(reader), _parse(writer), "")


def _parse(schema: Any) -> Schema:
    try:
        return parse(json.dumps(inline(schema)))
    except AvroException as error:
        raise BadSchema(f"not an Avro schema: {error}") from error


def _problems(reader: Schema, writer: Schema, where: str) -> list[str]:
    """Go down to the parts that fail: the checker reports only that a pair fails somewhere, and each problem needs its place."""
    checker = ReaderWriterCompatibilityChecker()
    verdict = checker.get_compatibility(reader, writer)
    if verdict.compatibility == SchemaCompatibilityType.compatible:
        return []
    return _inside(reader, writer, where) or [_sentence(verdict, where)]


def _inside(reader: Schema, writer: Schema, where: str) -> list[str]:
    if isinstance(reader, RecordSchema) and isinstance(writer, RecordSchema) and schema_name_equals(reader, writer):
        reasons = []
        for field in reader.fields:
            place = f"{where}.{field.name}" if where else field.name
            old = lookup_writer_field(writer, field)
            if old is not None:
                reasons += _problems(field.type, old.type, place)
            elif not field.has_default:
                reasons.append(f"{place}: older records lack this field and it has no default")
        return reasons
    if isinstance(reader, ArraySchema) and isinstance(writer, ArraySchema):
        return _problems(reader.items, writer.items, f"{where}[]")
    if isinstance(reader, MapSchema) and isinstance(writer, MapSchema):
        return _problems(reader.values, writer.values, f"{where}{{}}")
    if isinstance(reader, UnionSchema) and isinstance(writer, UnionSchema):
        return _inside_branches(reader, writer, where)
    return []


def _inside_branches(reader: UnionSchema, writer: UnionSchema, where: str) -> list[str]:
    reasons = []
    for old in writer.schemas:
        same = [new for new in reader.schemas if new.type == old.type and _same_name(new, old)]
        if len(same) == 1:
            reasons += _problems(same[0], old, where)
        else:
            reasons += _problems(reader, old, where)
    return reasons


def _same_name(reader: Schema, writer: Schema) -> bool:
    if isinstance(reader, RecordSchema) and isinstance(writer, RecordSchema):
        return bool(schema_name_equals(reader, writer))
    return True


def _sentence(verdict: SchemaCompatibilityResult, where: str) -> str:
    kinds = ", ".join(sorted({kind.value.replace("_", " ") for kind in verdict.incompatibilities}))
    reasons = "; ".join(sorted(verdict.messages))
    return f"{where}: {kinds}: {reasons}" if where else f"{kinds}: {reasons}"
