"""Asking the cluster until it answers."""

import threading
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError as ClientError
from confluent_kafka import KafkaException

from streams.runtime.retrying import delays

T = TypeVar("T")

_FIRST_RETRY = 0.1
"""Seconds until a question is asked again for the first time."""
_NOT_YET = frozenset(
    {
        ClientError._TIMED_OUT,
        ClientError._TRANSPORT,
        ClientError._ALL_BROKERS_DOWN,
        ClientError._WAIT_COORD,
        ClientError._IN_PROGRESS,
        ClientError.COORDINATOR_LOAD_IN_PROGRESS,
        ClientError.COORDINATOR_NOT_AVAILABLE,
        ClientError.NOT_COORDINATOR,
        ClientError.UNSTABLE_OFFSET_COMMIT,
        ClientError.LEADER_NOT_AVAILABLE,
        ClientError.NOT_LEADER_FOR_PARTITION,
    }
)
"""Errors of a cluster that does not know an answer yet. None of them means that there is nothing."""


def insist(ask: Callable[[], T], stopping: threading.Event, report: Callable[[str], None]) -> T:
    """Ask until the cluster answers, and report why it does not. Blocks.

    Raises KafkaException when it refuses, or when `stopping` is set.
    """
    waits = delays(_FIRST_RETRY)
    while True:
        try:
            return ask()
        except KafkaException as error:
            reason = error.args[0]
            if not (reason.retriable() or reason.code() in _NOT_YET) or stopping.wait(next(waits)):
                raise
            report(reason.str())
