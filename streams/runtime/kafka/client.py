"""librdkafka as the runtime uses it: the configuration of consumers, and converting messages and errors."""

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
"""Called this way and not as a method: for a name that is not UTF-8 the client returns a value and leaves an exception set, which
the interpreter's fast method call does not notice and raises wherever it looks next."""

_COMMON: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # The reader says where to go on when an offset is not in the log: the client would start over, and repeat everything.
    "auto.offset.reset": "error",
    # Records of a transaction are read once it is committed, and never when it is aborted.
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    # New partitions, and topics that a broker did not know yet, are seen after at most this time.
    "topic.metadata.refresh.interval.ms": 10_000,
    # Records that wait in the client's memory: few, so that a partition with a backlog starves no other.
    "queued.min.messages": 1000,
    "queued.max.messages.kbytes": 16 * 1024,
    "max.partition.fetch.bytes": 256 * 1024,
    "fetch.wait.max.ms": 500,
    # After a full queue, the next fetch comes this soon after records were taken; the client's default is 1000.
    "fetch.queue.backoff.ms": 10,
    "check.crcs": True,
    "socket.nagle.disable": True,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    # Every client would log an unavailable broker every second: the code that waits for it logs it once.
    "log_level": 2,
}


def consumer(brokers: Brokers, more: Mapping[str, Any]) -> Consumer:
    """Make a consumer without a subscription or assignment. Raises KafkaError for a bad setting, OSError for a missing file."""
    try:
        return Consumer({**_COMMON, **brokers.confluent(), "error_cb": _log, **more})
    except (KafkaException, ValueError) as error:
        raise as_ours(error) from error


def _log(error: ClientError) -> None:
    if error.code() == ClientError._ALL_BROKERS_DOWN:
        log.debug("no broker answers: %s", error.str())


def record_of(message: Message) -> Record:
    """Convert a message without an error. A record whose headers cannot be read says so in `unreadable`."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    headers: Any = ()
    unreadable = ""
    try:
        headers = _headers(message) or ()
    except (UnicodeDecodeError, SystemError):  # the client turns the former into the latter
        unreadable = "the name of a header is not UTF-8"
    timestamp = message.timestamp()[1] / 1000.0
    key, value = _bytes(message.key()), _bytes(message.value())
    return Record(Place(topic, partition), offset, key, value, tuple(headers), timestamp, unreadable)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def as_ours(error: BaseException) -> KafkaError:
    """Convert an error of librdkafka to aiokafka's family, which the runtime uses for all clients."""
    cause = error.args[0] if isinstance(error, KafkaException) and error.args else None
    if isinstance(cause, ClientError):
        text = f"{cause.name()}: {cause.str()}"
        return KafkaConnectionError(text) if cause.retriable() or cause.code() < 0 else KafkaError(text)
    return KafkaError(str(error))
