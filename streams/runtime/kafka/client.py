"""librdkafka as the runtime uses it: how its consumers are configured, and its messages and errors as ours."""

import logging
import operator
from collections.abc import Mapping
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaError
from confluent_kafka import Consumer, KafkaException, Message
from confluent_kafka import KafkaError as ClientError

from streams.kafka_settings import Brokers
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)

_headers = operator.methodcaller("headers")
"""Called so, and not as a method: for a name that is not UTF-8 the client returns a value and leaves an exception set, which the
interpreter's fast way to call a method does not notice, and raises wherever it looks next."""

_COMMON: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # Where to go on when an offset is not in the log is the reader's to say: the client would begin anew, and repeat everything.
    "auto.offset.reset": "error",
    # What a transaction has not committed is not read before it is, and never when it is aborted.
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    # Partitions that were added, and topics that a broker did not know yet, are found so soon.
    "topic.metadata.refresh.interval.ms": 10_000,
    # Records that wait in the client's memory: few, so that a partition under backlog starves no other.
    "queued.min.messages": 1000,
    "queued.max.messages.kbytes": 16 * 1024,
    "max.partition.fetch.bytes": 256 * 1024,
    "fetch.wait.max.ms": 500,
    # When that much waits, the next fetch comes so soon after some of it was taken; the client would say 1000.
    "fetch.queue.backoff.ms": 10,
    "check.crcs": True,
    "socket.nagle.disable": True,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    # A broker that is away would be told of by every client, every second: whoever waits for it says so, once.
    "log_level": 2,
}


def consumer(brokers: Brokers, more: Mapping[str, Any]) -> Consumer:
    """A consumer that is not subscribed or assigned yet. Raises KafkaError for what cannot be configured, OSError for a file."""
    try:
        return Consumer({**_COMMON, **brokers.confluent(), "error_cb": _say, **more})
    except (KafkaException, ValueError) as error:
        raise as_ours(error) from error


def _say(error: ClientError) -> None:
    if error.code() == ClientError._ALL_BROKERS_DOWN:
        log.debug("no broker answers: %s", error.str())


def record_of(message: Message) -> Record:
    """The plain form of a message that has no error; one whose headers cannot be read says so."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    headers: Any = ()
    unreadable = ""
    try:
        headers = _headers(message) or ()
    except (UnicodeDecodeError, SystemError):  # the latter is how the client tells of the former
        unreadable = "the name of a header is not UTF-8"
    timestamp = message.timestamp()[1] / 1000.0
    key, value = _bytes(message.key()), _bytes(message.value())
    return Record(Place(topic, partition), offset, key, value, tuple(headers), timestamp, unreadable)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def as_ours(error: BaseException) -> KafkaError:
    """An error of librdkafka as the runtime's modules know it: one family for all clients."""
    known = error.args[0] if isinstance(error, KafkaException) and error.args else None
    if isinstance(known, ClientError):
        text = f"{known.name()}: {known.str()}"
        return KafkaConnectionError(text) if known.retriable() or known.code() < 0 else KafkaError(text)
    return KafkaError(str(error))
