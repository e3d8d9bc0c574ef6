"""A batch of records, and sorting what the client returns into one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError as ClientError
from confluent_kafka import KafkaException, Message

from streams.runtime.kafka import client
from streams.runtime.kafka.reading.positions import Positions
from streams.wire.records import Place, Record

_UNREADABLE = frozenset(
    {
        ClientError._BAD_MSG,
        ClientError._BAD_COMPRESSION,
        ClientError._NOT_IMPLEMENTED,  # a codec or a format that this client does not know
        ClientError._UNDERFLOW,
    }
)

Report = Callable[[str | None, Place | None], None]
"""Is called with why a partition (None: any) cannot be read at the moment; with None when it can be read again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of each partition's log, of one assignment; `ends`: where partitions were read to their end."""

    epoch: int
    records: Sequence[Record] = ()
    ends: Mapping[Place, int] = field(default_factory=dict)


class BatchBuilder:
    """Collects messages of one assignment. A partition in which the client has lost its way takes none of them."""

    def __init__(self, epoch: int, positions: Positions, report: Report) -> None:
        self.epoch = epoch
        self.records: list[Record] = []
        self.lost: set[Place] = set()
        """Partitions whose next offset the log does not have."""
        self.unreadable: dict[Place, str] = {}
        """Partitions whose next record cannot be decoded, and why."""
        self._ends: dict[Place, int] = {}
        self._positions = positions
        self._report = report

    def add(self, message: Message) -> None:
        """Add a message or an error of the client. Raises KafkaException for an error that ends the client."""
        error = message.error()
        if error is None:
            self._add_record(client.record_of(message))
            return
        place = _place(message)
        code = error.code()
        if place is not None and self._astray(place):
            return
        if place is not None and code == ClientError._PARTITION_EOF:
            self._ends[place] = message.offset() or 0
            self._positions.reach(place, self._ends[place])
            self._report(None, None)
        elif place is not None and code == ClientError._AUTO_OFFSET_RESET:
            self.lost.add(place)
        elif place is not None and code in _UNREADABLE:
            self.unreadable[place] = error.str()
        elif error.fatal():
            raise KafkaException(error)
        else:
            self._report(error.str(), place)

    def build(self) -> Batch | None:
        """Build the batch; None when there is nothing in it."""
        return Batch(self.epoch, self.records, self._ends) if self.records or self._ends else None

    def _add_record(self, record: Record) -> None:
        if not self._astray(record.place) and self._positions.take(*record.spot):
            self.records.append(record)
        self._report(None, None)

    def _astray(self, place: Place) -> bool:
        return place in self.lost or place in self.unreadable


def _place(message: Message) -> Place | None:
    topic, partition = message.topic(), message.partition()
    return Place(topic, partition) if topic is not None and partition is not None and partition >= 0 else None
