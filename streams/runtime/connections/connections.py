"""The connections that every process of the runtime needs: Kafka, the registry, S3, and the names of topics."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from schemas.encoding.codec import Codec
from schemas.registry.client import SchemaRegistry
from streams.runtime.kafka.admin import Admin
from streams.runtime.kafka.log_appender import LogAppender
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.producer import Producer
from streams.runtime.kafka.topic_follower import TopicFollower
from streams.runtime.retrying import Outages
from streams.runtime.storage.store import Store
from streams.settings import Settings
from streams.wire import topics
from streams.wire.codec import Wire
from streams.wire.records import Record
from streams.wire.topics import Topics


@dataclass
class Connections:
    """The connections of one process. An async context manager; entering raises KafkaError when no broker answers."""

    settings: Settings
    names: Topics
    outages: Outages
    registry: SchemaRegistry
    codec: Codec
    store: Store
    producer: Producer
    event_log: LogAppender
    """Appends the events of a straight run's hop together."""
    offsets: Offsets
    admin: Admin
    wire: Wire

    @classmethod
    def of(cls, settings: Settings, source: str = "millrace") -> Self:
        """Return the connections of these settings, not connected yet. `source` is the `ce_source` of what is sent."""
        names, outages = Topics(settings.topic_prefix), Outages()
        registry = SchemaRegistry(settings.registry)
        codec, store = Codec(registry), Store(settings, outages)
        producer = Producer(settings.brokers, outages)
        return cls(
            settings=settings,
            names=names,
            outages=outages,
            registry=registry,
            codec=codec,
            store=store,
            producer=producer,
            event_log=LogAppender(producer, names.named(topics.EVENTS)),
            offsets=Offsets(settings.brokers),
            admin=Admin(settings.brokers),
            wire=Wire(codec, names, store, source),
        )

    async def __aenter__(self) -> Self:
        try:
            await self.producer.start()
            await self.offsets.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Deliver what is queued, then close everything."""
        await self.event_log.stop()
        await self.producer.stop()
        await self.offsets.stop()
        await self.registry.close()
        self.store.close()

    async def begins_straight(self) -> bool:
        """Return whether straight runs begin where they are asked for. Raises KafkaError.

        Flow keeps what it knows of a run under the number of the run's partition, so the log of events must have as many
        partitions as flow's own topics; where it never had, every run begins in flow.
        """
        if not self.settings.straight_runs:
            return False
        return await self.producer.partitions(self.events) == await self.producer.partitions(self.topic(topics.TOKENS))

    def topic(self, name: str) -> str:
        """Return the full name of a topic of `streams.wire.topics`."""
        return self.names.named(name)

    def follow(
        self, name: str, take: Callable[[Record], Awaitable[None]], *, since: float | None = None
    ) -> TopicFollower:
        """Return a follower of a topic of `streams.wire.topics`, not started; see TopicFollower for `take` and `since`."""
        return TopicFollower(self.settings.brokers, self.topic(name), take, since=since)

    def group(self, name: str) -> str:
        """Return the full name of a consumer group."""
        return self.names.named(name)

    @property
    def events(self) -> str:
        """The topic of events."""
        return self.topic(topics.EVENTS)
