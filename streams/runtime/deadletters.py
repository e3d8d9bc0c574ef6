"""Dead letters: what could not be processed, byte for byte, with the reason; to be read, and sent again."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from schemas.codec import value_subject
from schemas.errors import RegistryAway, Undecodable
from schemas.library import load
from streams import topics
from streams.records import Headers, Outgoing, Place, Record
from streams.runtime.backoff import outlast
from streams.runtime.errors import Missing
from streams.runtime.parts import Parts

RESENT = "millrace-resent"
"""The header of a record that was sent again: which dead letter it was."""


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter. `id` is its own place in `dead.letters`: `0-17`."""

    id: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    consumer: str
    reason: str
    stack: str
    attempt: int
    run: str | None
    path: str | None
    timestamp: float | None
    at: float
    """Epoch seconds at which it was given up."""


class DeadLetters:
    """The dead letters of an installation."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._topic = parts.topic(topics.DEAD_LETTERS)
        self._schema = load("DeadLetter")

    async def write(
        self,
        record: Record,
        consumer: str,
        reason: str,
        *,
        stack: str = "",
        attempt: int = 0,
        run: str | None = None,
        path: str | None = None,
    ) -> None:
        """Keeps a record that `consumer` gives up; returns when the broker has it."""
        letter: dict[str, Any] = {
            "topic": record.place.topic,
            "partition": record.place.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "key": record.key,
            "value": record.value,
            "headers": [{"name": name, "value": value} for name, value in record.headers],
            "consumer": consumer,
            "reason": reason,
            "stack": stack,
            "attempt": attempt,
            "run": run,
            "path": path,
            "at": time.time(),
        }
        value = await outlast(self._parts.outages, "registry", lambda: self._encode(letter), RegistryAway)
        key = run.encode() if run else record.key
        await self._parts.producer.send(Outgoing(self._topic, key or record.where.encode(), value))

    async def read(self) -> AsyncIterator[DeadLetter]:
        """Every dead letter that the topic still has, oldest first."""
        count = await self._parts.producer.partitions(self._topic)
        for place in [Place(self._topic, number) for number in range(count)]:
            end = (await self._parts.probe.ends([place]))[place]
            for record in await self._parts.probe.read(place, 0, end):
                yield await self._decode(record)

    async def show(self, identity: str) -> DeadLetter:
        """One dead letter by its id. Raises Missing."""
        partition, dash, offset = identity.partition("-")
        if dash and partition.isdecimal() and offset.isdecimal():
            place = Place(self._topic, int(partition))
            if place.partition < await self._parts.producer.partitions(self._topic):
                for record in await self._parts.probe.read(place, int(offset), int(offset) + 1):
                    return await self._decode(record)
        raise Missing(f"there is no dead letter {identity!r}; `millrace dead-letters list` shows them")

    async def resend(self, identity: str) -> DeadLetter:
        """Sends a dead letter to the topic where it stood, as it was; it stays in the list. Raises Missing."""
        letter = await self.show(identity)
        headers = (*((name, value) for name, value in letter.headers if name != RESENT), (RESENT, identity.encode()))
        await self._parts.producer.send(Outgoing(letter.topic, letter.key, letter.value, headers))
        return letter

    async def _encode(self, letter: dict[str, Any]) -> bytes:
        return await self._parts.codec.encode(value_subject(self._topic), self._schema, letter)

    async def _decode(self, record: Record) -> DeadLetter:
        if record.value is None:
            raise Undecodable(f"{record.where} has no value")
        value = await self._parts.codec.decode(record.value, self._schema)
        headers = tuple((one["name"], one["value"]) for one in value["headers"])
        return DeadLetter(**{**value, "headers": headers, "id": f"{record.place.partition}-{record.offset}"})
