"""The Kafka producer of a process: idempotent, every delivery awaited, a failed publish retried as a publish."""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RecordTooLargeError,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from streams.kafka_settings import Brokers
from streams.runtime.errors import ProducerStopped, RuntimeFault, Undeliverable
from streams.runtime.kafka.partitioner import choose
from streams.runtime.retrying import Outages, delays
from streams.wire.records import Outgoing

log = logging.getLogger(__name__)

MAX_RECORD = 8 * 1024 * 1024
"""Bytes of the largest record; what encodes past 256 KiB normally travels as a reference."""
MAX_BATCH = 900 * 1024
"""Bytes of the largest batch that is sent as one: brokers refuse more than 1 MiB unless they are configured otherwise."""
_REQUEST_TIMEOUT = 120_000
"""Milliseconds."""
_PERMANENT = (MessageSizeTooLargeError, RecordTooLargeError, RecordListTooLargeError, InvalidTopicError)
"""Errors of a record that Kafka will never take."""

_Queue = Callable[[AIOKafkaProducer], Awaitable["asyncio.Future[RecordMetadata]"]]
"""Queues something with a client, and returns its delivery. Called again with another client when that fails."""


class Producer:
    """Sends records and returns when the broker has them. Use as an async context manager, or start and stop."""

    def __init__(self, brokers: Brokers, outages: Outages | None = None) -> None:
        self._brokers = brokers
        self._outages = outages or Outages()
        self._client: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._closing: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        """Connect. Raises KafkaError when no broker answers: a worker that starts without a broker is restarted."""
        self._client = await self._connect()

    async def stop(self) -> None:
        """Deliver what is queued, then close; later sends raise ProducerStopped."""
        self._stopping.set()
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    async def __aenter__(self) -> "Producer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def send(self, record: Outgoing) -> RecordMetadata:
        """Send one record and wait until every replica has it.

        Raises Undeliverable when Kafka will never take it, ProducerStopped when the producer was stopped first.
        """
        return await self._delivered(await self._queue(record.topic, functools.partial(_send, record)))

    async def send_batch(self, topic: str, partition: int, records: Sequence[Outgoing]) -> RecordMetadata:
        """Send records of one partition as one batch, of which the log has all or nothing.

        Returns the place of the first, once every replica has them. Raises as `send` does; Undeliverable for more than MAX_BATCH bytes.
        """
        return await self._delivered(
            await self._queue(topic, functools.partial(_send_batch, topic, partition, records))
        )

    async def send_all(self, records: Iterable[Outgoing]) -> None:
        """Send records at once and wait for all; those of one partition keep their order unless a delivery failed.

        Raises as `send` does, once all others are delivered.
        """
        # Without a task for each: queueing only appends to a buffer, and the deliveries are futures already.
        pending = [await self._queue(record.topic, functools.partial(_send, record)) for record in records]
        failure: BaseException | None = None
        for delivery in pending:
            try:
                await self._delivered(delivery)
            except RuntimeFault as error:
                failure = failure or error
        if failure is not None:
            raise failure

    async def partitions(self, topic: str) -> int:
        """Look up the partition count of a topic. Raises KafkaError when the topic does not exist."""
        return len(await self._usable().partitions_for(topic))

    async def _retry(self, pending: "_Pending") -> RecordMetadata:
        client = pending.client
        with self._outages.waiting("kafka"):
            for delay in delays():
                await self._pause(delay)
                client = await self._renewed(client)
                try:
                    return await (await pending.queue(client))
                except _PERMANENT as error:
                    raise Undeliverable(f"{pending.topic}: {error}") from error
                except KafkaError as error:
                    log.warning("publishing to %s failed again (%s)", pending.topic, error)
        raise AssertionError("delays() never ends")

    async def _pause(self, delay: float) -> None:
        try:
            async with asyncio.timeout(delay):  # not `wait_for`: before Python 3.12 it may swallow a cancellation
                await self._stopping.wait()
        except TimeoutError:
            return
        raise ProducerStopped("stopped while a record was being sent again")

    async def _renewed(self, failed: AIOKafkaProducer) -> AIOKafkaProducer:
        """Replace a failed client: after some errors an idempotent client refuses everything. Returns the one to use."""
        async with self._renewing:
            if self._client is not failed:
                return self._usable()
            try:
                fresh = await self._connect()
            except KafkaError:
                return failed
            self._client = fresh
            # Stopping it waits for what it still has queued, which may be records of others that will be delivered.
            closing = asyncio.ensure_future(_close(failed))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            return fresh

    async def _connect(self) -> AIOKafkaProducer:
        client = AIOKafkaProducer(
            **self._brokers.aiokafka(),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            request_timeout_ms=_REQUEST_TIMEOUT,
            max_request_size=MAX_RECORD,
            max_batch_size=64 * 1024,
            partitioner=choose,
        )
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        return client

    def _usable(self) -> AIOKafkaProducer:
        if self._client is None:
            raise ProducerStopped("the producer is not running")
        return self._client

    async def _queue(self, topic: str, queue: _Queue) -> "_Pending":
        """Queue something with the client; an error that this raises is kept for the code that awaits the delivery."""
        client = self._usable()
        try:
            return _Pending(topic, queue, client, await queue(client))
        except KafkaError as error:
            return _Pending(topic, queue, client, error)

    async def _delivered(self, pending: "_Pending") -> RecordMetadata:
        try:
            if isinstance(pending.delivery, KafkaError):
                raise pending.delivery
            return await pending.delivery
        except _PERMANENT as error:
            raise Undeliverable(f"{pending.topic}: {error}") from error
        except KafkaError as error:
            if self._stopping.is_set():
                raise ProducerStopped(pending.topic) from error
            log.warning("publishing to %s failed (%r): trying until it is taken", pending.topic, error)
        return await self._retry(pending)


@dataclass(frozen=True, slots=True)
class _Pending:
    topic: str
    queue: _Queue
    client: AIOKafkaProducer
    delivery: "asyncio.Future[RecordMetadata] | KafkaError"


async def _send(record: Outgoing, client: AIOKafkaProducer) -> "asyncio.Future[RecordMetadata]":
    delivery: asyncio.Future[RecordMetadata] = await client.send(
        record.topic, value=record.value, key=record.key, partition=record.partition, headers=list(record.headers)
    )
    return delivery


async def _send_batch(
    topic: str, partition: int, records: Sequence[Outgoing], client: AIOKafkaProducer
) -> "asyncio.Future[RecordMetadata]":
    batch = BatchBuilder(MAX_BATCH, 0)
    for record in records:
        if batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers)) is None:
            raise RecordTooLargeError(f"the batch has more than {MAX_BATCH:,} bytes")
    batch.close()
    delivery: asyncio.Future[RecordMetadata] = await client.send_batch(batch, topic, partition=partition)
    return delivery


async def _close(client: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(60):
            await client.stop()
    except (KafkaError, TimeoutError) as error:
        log.warning("closing a failed producer: %s", error)
