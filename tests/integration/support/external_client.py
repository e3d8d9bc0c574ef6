"""Send requests to the Kafka edge as another program does, with the producer, consumer and serializers of Confluent."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.encoding.codec import value_subject
from streams.runtime.connections.dead_letters import DeadLetter, DeadLetters
from streams.runtime.kafka.partitioner import partition_of
from streams.settings import Settings
from streams.wire.records import Place, Record
from tests.integration.support.eventually import eventually
from tests.integration.support.gateway_world import GatewayWorld, wait

Headers = Iterable[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Sent:
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


class ExternalClient:
    """Sends requests of one pipeline, and reads what comes of them."""

    def __init__(self, world: GatewayWorld, pipeline: str, **producing: Any) -> None:
        """`producing`: more settings of librdkafka."""
        self._world = world
        self.topic = world.connections.names.requests(pipeline)
        self._results = world.connections.names.results(pipeline)
        self._producer = Producer({**world.settings.brokers.confluent(), **producing})
        self.registry = SchemaRegistryClient({"url": world.settings.registry})

    def send(
        self,
        value: bytes | None,
        headers: Headers = (),
        *,
        key: bytes | None = None,
        partition: int = -1,
        timestamp: int = 0,
    ) -> Sent:
        """Produces a record and waits until the broker has it. `timestamp` in milliseconds; 0 is now."""
        placed: list[Sent] = []

        def delivered(error: Any, message: Any) -> None:
            assert error is None, error
            placed.append(Sent(message.topic(), message.partition(), message.offset()))

        self._producer.produce(
            self.topic,
            value,
            key=key,
            headers=list(headers),
            partition=partition,
            timestamp=timestamp,
            on_delivery=delivered,
        )
        self._producer.flush(30)
        return placed[0]

    def ask(self, value: bytes | None, headers: Headers = ()) -> dict[str, Any]:
        """The result of a request, which is sent under a run id of its own."""
        run = str(uuid.uuid4())
        self.send(value, [("millrace-run", run.encode()), *headers], key=run.encode())
        return self.result(run)

    def batch(self, values: Iterable[bytes]) -> list[str]:
        """The runs that requests ask for which are produced together."""
        runs = []
        for value in values:
            run = str(uuid.uuid4())
            headers: list[Any] = [("millrace-run", run.encode())]
            self._producer.produce(self.topic, value, key=run.encode(), headers=headers)
            runs.append(run)
        assert self._producer.flush(60) == 0
        return runs

    def runs(self) -> set[str]:
        """The runs that have a result."""
        return {(record.key or b"").decode() for record in self._world.loop(self._records())}

    def partition_of(self, run: str) -> int:
        """Where the gateway puts the request of a run."""
        return partition_of(run, self._world.settings.partitions)

    def result(self, run: str) -> dict[str, Any]:
        """The typed result of a run, once it is there."""
        connections = self._world.connections

        async def look() -> dict[str, Any] | None:
            for record in await self._records():
                if record.key == run.encode():
                    found: dict[str, Any] = await connections.codec.decode(record.value or b"")
                    return found
            return None

        made: dict[str, Any] = wait(lambda: self._world.loop(look()), f"the result of {run}", 60)
        return made

    def letter(self, sent: Sent) -> DeadLetter:
        """The dead letter that a record became."""

        async def look() -> DeadLetter | None:
            async for one in DeadLetters(self._world.connections).read():
                if (one.topic, one.partition, one.offset) == (sent.topic, sent.partition, sent.offset):
                    return one
            return None

        made: DeadLetter = wait(lambda: self._world.loop(look()), f"the dead letter of {sent}", 60)
        return made

    def serialized(self, serializer: Any, value: Mapping[str, Any]) -> bytes:
        """A value as one of Confluent's serializers writes it for this topic."""
        made = serializer(dict(value), SerializationContext(self.topic, MessageField.VALUE))
        assert isinstance(made, bytes)
        return made

    @property
    def subject(self) -> str:
        """The subject of the requests."""
        return value_subject(self.topic)

    async def _records(self) -> list[Record]:
        connections = self._world.connections
        places = [
            Place(self._results, number) for number in range(await connections.producer.partitions(self._results))
        ]
        ends = await connections.offsets.ends(places)
        return [
            record for place, end in ends.items() if end for record in await connections.offsets.read(place, 0, end)
        ]


def of_subject(subject: str) -> dict[str, Any]:
    """The settings of a serializer that registers its schema under this subject."""

    def named(*_: Any) -> str:
        return subject

    return {"subject.name.strategy": named, "auto.register.schemas": True}


def add_partitions(settings: Settings, topic: str, count: int) -> None:
    """The topic has this many partitions from now on."""
    admin = AdminClient({**settings.brokers.confluent()})
    for future in admin.create_partitions([NewPartitions(topic, count)]).values():
        future.result(30)
    eventually(lambda: len(admin.list_topics(topic).topics[topic].partitions) == count, 30)
