"""Records as they cross Kafka: Confluent's wire format, and JSON at the public edge."""

import asyncio
from typing import Any, Protocol

from schemas import binary
from schemas.conform import conform, conform_json
from schemas.errors import Nonconforming, Undecodable

__all__ = ["JSON", "Codec", "Nonconforming", "Registry", "conform", "conform_json", "frame", "unframe", "value_subject"]

JSON = "application/json"
_MAGIC = b"\x00"
_HEAD = 5


class Registry(Protocol):
    """Where schemas have their ids; `schemas.registry` has the real one, `schemas.memory` one inside the process."""

    async def id_of(self, subject: str, schema: Any) -> int:
        """The schema's id, registered under the subject if need be. Raises RegistryAway, Incompatible, BadSchema."""

    async def schema_of(self, schema_id: int) -> Any:
        """The schema of an id, always the same object. Raises RegistryAway, UnknownSchema."""


def value_subject(topic: str) -> str:
    """The subject of a topic's values, as Confluent's TopicNameStrategy names it, which Java producers use unasked."""
    return f"{topic}-value"


def frame(schema_id: int, body: bytes) -> bytes:
    """A schema id and an Avro body in Confluent's wire format: a zero byte, the id in four bytes, the body."""
    return _MAGIC + schema_id.to_bytes(4, "big") + body


def unframe(data: bytes) -> tuple[int, bytes]:
    """The schema id and the Avro body of a record in Confluent's wire format. Raises Undecodable."""
    if len(data) < _HEAD or data[:1] != _MAGIC:
        raise Undecodable(
            "the record is not in Confluent's wire format (a zero byte, a schema id in four bytes, Avro);"
            f" a record in JSON needs the header content-type: {JSON}"
        )
    return int.from_bytes(data[1:_HEAD], "big"), data[_HEAD:]


class Codec:
    """Encodes and decodes records with schemas that a registry knows; waits only where an id is not known yet."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def encode(self, subject: str, schema: Any, value: Any, *, large: bool = False) -> bytes:
        """A record for the topic whose subject this is (see `value_subject`); a large one is written beside the event loop.

        Raises Unwritable, and RegistryAway, Incompatible or BadSchema at a schema's first use.
        """
        schema_id = await self._registry.id_of(subject, schema)
        body = await asyncio.to_thread(binary.write, schema, value) if large else binary.write(schema, value)
        return frame(schema_id, body)

    async def decode(self, data: bytes, reader: Any | None = None, *, tagged: bool = False) -> Any:
        """The value of a record, resolved to the `reader` schema when one is given; `tagged` as in `binary.read`.

        Raises Undecodable (for good) and RegistryAway (try again later).
        """
        schema_id, body = unframe(data)
        writer = await self._registry.schema_of(schema_id)
        return binary.read(body, writer, reader, tagged=tagged)

    async def accept(self, data: bytes, schema: Any, content_type: str = "") -> Any:
        """A stranger's record, in JSON or in Avro as its content type says, checked against the schema and its bounds.

        Without a content type it is JSON when it begins with a brace, which no record in Avro does: a plain line from a
        shell is enough. Raises Nonconforming with every problem, Undecodable, RegistryAway.
        """
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type == JSON or (not media_type and data.lstrip()[:1] == b"{"):
            return conform_json(schema, data)
        return conform(schema, await self.decode(data, schema))
