"""Records as they cross Kafka: Confluent's wire format, and JSON at the public edge."""

import asyncio
from codecs import BOM_UTF8
from typing import Any, Protocol

from schemas.encoding import binary, cloudevents
from schemas.errors import Nonconforming, OtherFormat, Problem, Undecodable
from schemas.validation import strict
from schemas.validation.conform import conform, parse_json

__all__ = ["Codec", "Nonconforming", "Registry", "conform", "frame", "unframe", "value_subject"]

_MAGIC = b"\x00"
_HEAD = 5
_NEITHER = (
    "the record is neither an object in JSON (UTF-8) nor in Confluent's wire format"
    " (a zero byte, a schema id in four bytes, the record)"
)


class Registry(Protocol):
    """Where schemas have their ids; `schemas.registry.client` has the real one, `schemas.registry.memory` one inside the process."""

    async def id_of(self, subject: str, schema: Any) -> int:
        """Return the schema's id, registering it under the subject if need be. Raises RegistryUnavailable, Incompatible, BadSchema."""

    async def schema_of(self, schema_id: int) -> Any:
        """Return the schema of an id, always the same object. Raises RegistryUnavailable, UnknownSchema, OtherFormat."""


def value_subject(topic: str) -> str:
    """Return the subject of a topic's values, as Confluent's TopicNameStrategy (the default of Java producers) names it."""
    return f"{topic}-value"


def frame(schema_id: int, body: bytes) -> bytes:
    """Return a schema id and an Avro body in Confluent's wire format: a zero byte, the id in four bytes, the body."""
    return _MAGIC + schema_id.to_bytes(4, "big") + body


def unframe(data: bytes) -> tuple[int, bytes]:
    """Return the schema id and the Avro body of a record in Confluent's wire format. Raises Undecodable."""
    if len(data) < _HEAD or data[:1] != _MAGIC:
        raise Undecodable("the record is not in Confluent's wire format: a zero byte, a schema id in four bytes, Avro")
    return int.from_bytes(data[1:_HEAD], "big"), data[_HEAD:]


class Codec:
    """Encodes and decodes records with schemas that a registry knows; waits only where an id is not known yet."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def encode(self, subject: str, schema: Any, value: Any, *, large: bool = False) -> bytes:
        """Return a record for the topic of this subject (see `value_subject`); a large one is written in a thread.

        Raises Unwritable, and RegistryUnavailable, Incompatible or BadSchema at a schema's first use.
        """
        schema_id = await self._registry.id_of(subject, schema)
        body = await asyncio.to_thread(binary.write, schema, value) if large else binary.write(schema, value)
        return frame(schema_id, body)

    async def decode(self, data: bytes, reader: Any | None = None, *, tagged: bool = False) -> Any:
        """Return the value of a record, resolved to the `reader` schema when there is one; `tagged` as in `binary.read`.

        Raises Undecodable (for good) and RegistryUnavailable (try again later).
        """
        schema_id, body = unframe(data)
        writer = await self._registry.schema_of(schema_id)
        return binary.read(body, writer, reader, tagged=tagged)

    async def accept(self, data: bytes, schema: Any, content_type: str = "") -> Any:
        """Return an outside record, checked against the schema and its bounds: JSON, Avro, or JSON behind the id of a JSON Schema.

        It is read by its bytes: what other systems say of JSON is anything from `text/plain` to `application/vnd.acme+json`.
        The content type counts for one thing only, a CloudEvent in structured mode, whose data is read in the same way.
        Raises Nonconforming with every problem, Undecodable, RegistryUnavailable.
        """
        media_type = content_type.partition(";")[0].strip().lower()
        value = await self._read(data, schema)
        if cloudevents.is_structured(media_type):
            value = cloudevents.data_of(value)
            if isinstance(value, bytes):
                value = await self._read(value, schema)
        return conform(schema, value)

    async def _read(self, data: bytes, schema: Any) -> Any:
        if data[:1] != _MAGIC:  # with which no text in UTF-8 begins
            return _json(data, _NEITHER)
        schema_id, body = unframe(data)
        try:
            writer = await self._registry.schema_of(schema_id)
        except OtherFormat as error:
            if error.format != "JSON":
                raise
            return _json(body, f"the schema {schema_id} is of JSON, and what follows its id is not")
        try:
            value = binary.read(body, writer, schema)
        except Undecodable:
            # A record of others has names of their own, which Avro does not take for ours: it counts what its fields are.
            value = binary.read(body, writer)
        return _taken(value)


def _json(data: bytes, otherwise: str) -> Any:
    """Return the value of JSON text. Raises Nonconforming; Undecodable with `otherwise` for data that does not even begin like JSON."""
    if data.removeprefix(BOM_UTF8).lstrip()[:1] not in (b"{", b"["):
        raise Undecodable(otherwise)
    return parse_json(data)


def _taken(value: Any) -> Any:
    try:
        strict.check(value)
    except strict.NotTaken as error:
        raise Nonconforming([Problem("", str(error))]) from None
    return value
