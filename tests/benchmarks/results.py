"""The results of a pipeline's runs as another system reads them: a bare consumer of `pipeline.<name>.results`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer

from streams.kafka_settings import Brokers
from streams.messages import EventKind


class Results:
    """Knows which runs have their result; entered by `following`."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._awaited: dict[bytes, asyncio.Future[None]] = {}

    def expected(self, run: str) -> "asyncio.Future[None]":
        """Done when the result of this run comes; to be asked for before the run is."""
        return self._awaited.setdefault(run.encode(), asyncio.get_running_loop().create_future())

    async def read(self) -> None:
        """Reads on and on."""
        async for record in self._consumer:
            awaited = self._awaited.pop(record.key, None)
            if awaited is None or awaited.done():
                continue
            kind = dict(record.headers)["ce_type"].decode()
            if kind.endswith(EventKind.RUN_FINISHED.value):
                awaited.set_result(None)
            else:
                awaited.set_exception(AssertionError(f"{record.key.decode()}: {kind}"))


@contextlib.asynccontextmanager
async def following(brokers: Brokers, topic: str) -> AsyncIterator[Results]:
    """The results that come from now on."""
    consumer = AIOKafkaConsumer(topic, **brokers.aiokafka(), auto_offset_reset="latest")
    await consumer.start()
    await consumer.seek_to_end()
    for place in consumer.assignment():  # only now it stands at the end, where the next record will be seen
        await consumer.position(place)
    results = Results(consumer)
    reading = asyncio.create_task(results.read())
    try:
        yield results
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await consumer.stop()
