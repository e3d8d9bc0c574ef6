"""The outermost layer of a handler: an error becomes a dead letter, so that the next record is not held up."""

import asyncio
import logging
import traceback

from schemas.errors import Undecodable
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.errors import ProducerStopped, Revoked
from streams.wire.records import Handler, Record

log = logging.getLogger(__name__)


def guarded(handle: Handler, letters: DeadLetters, consumer: str) -> Handler:
    """Wrap a handler so that it raises only when the worker stops or loses the partition; the record is redelivered then."""

    async def handler(record: Record) -> None:
        try:
            if record.unreadable:
                raise Undecodable(f"it cannot be read: {record.unreadable}")
            await handle(record)
        except (ProducerStopped, Revoked, asyncio.CancelledError):
            raise
        except Undecodable as error:
            log.warning("%s: %s is a dead letter: %s", consumer, record.where, error)
            await letters.write(record, consumer, str(error))
        except Exception as error:
            log.exception("%s cannot handle %s", consumer, record.where)
            reason = f"{type(error).__name__}: {error}"
            await letters.write(record, consumer, reason, stack=traceback.format_exc())

    return handler
