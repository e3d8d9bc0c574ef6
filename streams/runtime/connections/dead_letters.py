"""Dead letters: records that could not be processed, byte for byte, with the reason; to be read and resent."""

import re
import time
from collections.abc import AsyncIterator, Container
from dataclasses import dataclass, replace
from typing import Any

from schemas.encoding.codec import value_subject
from schemas.errors import RegistryUnavailable, Undecodable
from schemas.library import load
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import Missing
from streams.runtime.retrying import retry_until_available
from streams.timestamps import moment
from streams.wire import topics
from streams.wire.records import Headers, Outgoing, Place, Record

RESENT = "millrace-resent"
"""The header of a resent record: the id of its dead letter."""
_STEP = 200
"""Records read at a time, backwards from the end: each may hold megabytes."""
_NUMBER = re.compile(r"[0-9]{1,18}")
"""A partition or an offset within Kafka's range."""


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter. `id` is its own partition and offset in `dead.letters`: `0-17`."""

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
    """Epoch seconds at which its consumer gave up."""
    resent: bool = False
    """Whether it was resent since."""

    def document(self) -> dict[str, Any]:
        """Return its entry in lists, as JSON values: without its bytes and its stack."""
        return {
            "id": self.id,
            "at": moment(self.at),
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "run": self.run,
            "path": self.path,
            "attempt": self.attempt,
            "consumer": self.consumer,
            "reason": self.reason,
            "resent": self.resent,
        }


@dataclass(frozen=True)
class Filter:
    """Selects dead letters that meet every condition given; texts match as substrings, ignoring case. Times are epoch seconds."""

    topic: str = ""
    consumer: str = ""
    run: str = ""
    path: str = ""
    reason: str = ""
    since: float | None = None
    until: float | None = None
    resent: bool | None = None

    def __bool__(self) -> bool:
        """Return whether it has a condition that narrows the selection."""
        return any((self.topic, self.consumer, self.run, self.path, self.reason)) or self.since is not None

    def takes(self, letter: DeadLetter) -> bool:
        """Return whether a letter meets the conditions."""
        conditions = (
            (self.topic, letter.topic),
            (self.consumer, letter.consumer),
            (self.path, letter.path or ""),
            (self.reason, letter.reason),
        )
        return (
            all(wanted.lower() in has.lower() for wanted, has in conditions)
            and self.run.lower() in ("", letter.run)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and self.resent in (None, letter.resent)
        )


class DeadLetters:
    """The dead letters of an installation."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._topic = connections.topic(topics.DEAD_LETTERS)
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
        """Write a record that `consumer` gives up; return when the broker has it."""
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
        value = await retry_until_available(
            self._connections.outages, "registry", lambda: self._encode(letter), RegistryUnavailable
        )
        key = run.encode() if run else record.key
        await self._connections.producer.send(Outgoing(self._topic, key or record.where.encode(), value))

    async def read(self, wanted: Filter = Filter()) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters of the topic that the filter takes, partition by partition, oldest first."""
        sent = await self._sent()
        count = await self._connections.producer.partitions(self._topic)
        for place in [Place(self._topic, number) for number in range(count)]:
            end = (await self._connections.offsets.ends([place]))[place]
            for record in await self._connections.offsets.read(place, 0, end):
                letter = await self._decode(record)
                letter = replace(letter, resent=letter.id in sent)
                if wanted.takes(letter):
                    yield letter

    async def newest(self, wanted: Filter, most: int) -> list[DeadLetter]:
        """Return the newest letters that the filter takes, at most `most`, oldest first. Only so many are held in memory."""
        sent = await self._sent()
        newest: list[DeadLetter] = []
        for number in range(await self._connections.producer.partitions(self._topic)):
            place = Place(self._topic, number)
            letters = [letter async for letter in self._backwards(place, wanted, sent, most)]
            newest = sorted([*newest, *letters], key=lambda letter: letter.at)[-most:]
        return newest

    async def _backwards(
        self, place: Place, wanted: Filter, sent: Container[str], most: int
    ) -> AsyncIterator[DeadLetter]:
        """Yield the letters of a partition that the filter takes, newest first, at most `most`."""
        first, high = (
            (await self._connections.offsets.beginnings([place]))[place],
            (await self._connections.offsets.ends([place]))[place],
        )
        left = most
        while high > first and left:
            low = max(first, high - _STEP)
            for record in reversed(await self._connections.offsets.read(place, low, high)):
                letter = await self._decode(record)
                letter = replace(letter, resent=letter.id in sent)
                if left and wanted.takes(letter):
                    left -= 1
                    yield letter
            high = low

    async def show(self, identity: str) -> DeadLetter:
        """Return a dead letter by its id. Raises Missing."""
        partition, dash, offset = identity.partition("-")
        if dash and _NUMBER.fullmatch(partition) and _NUMBER.fullmatch(offset):
            place = Place(self._topic, int(partition))
            if place.partition < await self._connections.producer.partitions(self._topic):
                for record in await self._connections.offsets.read(place, int(offset), int(offset) + 1):
                    letter = await self._decode(record)
                    return replace(letter, resent=letter.id in await self._sent())
        raise Missing(f"there is no dead letter {identity!r}; `millrace dead-letters list` shows them")

    async def resend(self, identity: str) -> DeadLetter:
        """Resend a dead letter unchanged to the topic that it came from; it stays in the list. Raises Missing."""
        letter = await self.show(identity)
        headers = (*((name, value) for name, value in letter.headers if name != RESENT), (RESENT, identity.encode()))
        await self._connections.producer.send(Outgoing(letter.topic, letter.key, letter.value, headers))
        await self._connections.store.create(self._mark(identity), b"")
        return letter

    async def resend_all(self, wanted: Filter) -> AsyncIterator[DeadLetter]:
        """Resend the letters that the filter takes and that were not resent yet; yield each once it has been sent."""
        for letter in [letter async for letter in self.read(replace(wanted, resent=False))]:
            yield await self.resend(letter.id)

    async def _sent(self) -> set[str]:
        return {key.rpartition("/")[2] for key in await self._connections.store.list(self._mark(""))}

    def _mark(self, identity: str) -> str:
        """Return the key in S3 that marks a letter as resent: the log itself cannot be changed."""
        return f"dead-letters/{self._topic}/resent/{identity}"

    async def _encode(self, letter: dict[str, Any]) -> bytes:
        return await self._connections.codec.encode(value_subject(self._topic), self._schema, letter)

    async def _decode(self, record: Record) -> DeadLetter:
        if record.value is None:
            raise Undecodable(f"{record.where} has no value")
        value = await self._connections.codec.decode(record.value, self._schema)
        headers = tuple((header["name"], header["value"]) for header in value["headers"])
        return DeadLetter(**{**value, "headers": headers, "id": f"{record.place.partition}-{record.offset}"})
