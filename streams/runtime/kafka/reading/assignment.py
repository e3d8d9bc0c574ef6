"""The partitions that a client is assigned, and telling the client where to go on in them."""

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, TopicPartition

from streams.runtime.kafka.reading.positions import Positions
from streams.wire.records import Place

DIVERSION = 0.1
"""Seconds for which a client that lost its way is led elsewhere, before it gets its position."""


class Assignment:
    """What a reader's client is assigned at present. Used on the reader's thread only."""

    def __init__(self) -> None:
        self.positions = Positions()
        self.epoch = 0
        """The number of the present assignment; it grows with each."""
        self._consumer: Consumer
        self._paused = False

    def use(self, consumer: Consumer) -> None:
        """Set the client; call this before anything else."""
        self._consumer = consumer

    def begin(self, starts: Mapping[Place, int]) -> None:
        """Begin an assignment: these partitions, from these offsets (or BEGINNING). Empty: nothing is assigned."""
        self.epoch += 1
        self.positions.begin(starts)

    def assign(self) -> None:
        """Have the client read the assigned partitions from their present positions."""
        positions = self.positions.now()
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in positions.items()])
        # A partition that was paused when it was revoked is still paused when it is assigned again.
        if self._paused:
            self._consumer.pause(self._partitions())
        else:
            self._consumer.resume(self._partitions())

    def pause(self) -> None:
        """Fetch nothing more, also after a new assignment."""
        self._paused = True
        self._consumer.pause(self._partitions())

    def resume(self) -> None:
        """Fetch again."""
        self._paused = False
        self._consumer.resume(self._partitions())

    def divert(self, elsewhere: Mapping[Place, int]) -> None:
        """Have the client read from other offsets for a moment, and drop what it returns meanwhile.

        If it continues at the same offset at once, librdkafka 2.16 keeps asking for the one that it read out of a
        broken batch.
        """
        places = {**self.positions.now(), **elsewhere}
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in places.items()])
        until = time.monotonic() + DIVERSION
        while (left := until - time.monotonic()) > 0:
            self._consumer.poll(left)

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in self.positions.now()]
