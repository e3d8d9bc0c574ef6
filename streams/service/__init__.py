"""What a service is made of: its contract, its call, its errors.

A file in `agents/services` imports all that it needs from here.
"""

from streams.service.call_context import progress
from streams.service.contract import Doc, Encoded, Media, Record
from streams.service.declaration import service
from streams.service.errors import InvalidInput, PartUnavailable, RetryLater
from streams.service.media import LIMITS, Format
from streams.service.model_slot import Slot
from streams.service.model_status import ModelStatus

__all__ = [
    "LIMITS",
    "Doc",
    "Encoded",
    "Format",
    "InvalidInput",
    "Media",
    "ModelStatus",
    "PartUnavailable",
    "Record",
    "RetryLater",
    "Slot",
    "progress",
    "service",
]
