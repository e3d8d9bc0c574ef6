"""The messages of a child process to its worker: data and never code, since malicious input may have taken over the child.

A worker accepts only MessagePack of these forms; reading a pickle would run whatever code it holds.
"""

import traceback
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from streams.errors import MillraceError
from streams.service.errors import InvalidInput, PartUnavailable, RetryLater
from streams.service.invocation import Invocation, Produced
from streams.service.progress_report import Progress


class ReplyKind(StrEnum):
    """How a call in a child ended."""

    VALUE = "value"
    REFUSED = "refused"
    RAISED = "raised"
    MEMORY = "memory"
    UNAVAILABLE = "away"


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of a call. Exceptions travel as text: unpickling a foreign exception may fail, or run its code."""

    ending: ReplyKind
    value: Any = None
    reason: str = ""
    hint: str = ""
    stack: str = ""
    after: float = 0.0
    """Seconds that the next attempt waits at least."""
    unavailable: str = ""
    """The part that is unavailable; empty unless `ending` is UNAVAILABLE."""


class Garbled(MillraceError, ValueError):
    """A message from a child is not one that it may send."""


class _Plain(msgspec.Struct, tag="plain", array_like=True):
    value: Any


class _Object(msgspec.Struct, array_like=True):
    sha256: str
    media_type: str
    data: bytes


class _Invoked(msgspec.Struct, tag="made", array_like=True):
    """An Invocation."""

    output: dict[str, Any]
    objects: list[_Object]


class _End(msgspec.Struct, tag="end", array_like=True):
    """A Reply."""

    ending: ReplyKind
    value: "_Plain | _Invoked | _Ends"
    reason: str
    hint: str
    stack: str
    after: float
    unavailable: str


class _Ends(msgspec.Struct, tag="ends", array_like=True):
    """The replies of several inputs of one call."""

    replies: list[_End]


class _Progress(msgspec.Struct, tag="said", array_like=True):
    """A Progress."""

    text: str
    done: float | None
    figures: dict[str, Any]
    number: int


def _odd(value: Any) -> Any:
    """Convert numbers of other libraries to Python's own. Raises TypeError for values that are not data."""
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        return item()
    raise TypeError(f"a value of type {type(value).__name__} is no data")


_encoder = msgspec.msgpack.Encoder(enc_hook=_odd)
_decoder = msgspec.msgpack.Decoder(_End | _Progress)


def pack(message: Progress | Reply) -> bytes:
    """Encode a message; a reply whose value is not data becomes a failure that says so."""
    if isinstance(message, Progress):
        return _encoder.encode(_Progress(message.text, message.done, dict(message.figures), message.number))
    try:
        return _encoder.encode(_end(message))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return _encoder.encode(_end(Reply(ReplyKind.RAISED, reason=f"its answer cannot be handed over: {error}")))


def unpack(data: bytes) -> Progress | Reply:
    """Decode a message. Raises Garbled."""
    try:
        match _decoder.decode(data):
            case _Progress() as progress:
                return Progress(progress.text, progress.done, progress.figures, progress.number)
            case _End() as end:
                return _reply(end)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Garbled(str(error)) from error
    raise Garbled("it is no message")


def failure_reply(error: Exception) -> Reply:
    """Return the reply for an exception that a service's function raised."""
    match error:
        case InvalidInput():
            reason = f"{error.where}: {error.reason}" if error.where else error.reason
            return Reply(ReplyKind.REFUSED, reason=reason, hint=error.hint)
        case RetryLater():
            return Reply(ReplyKind.RAISED, reason=error.reason, hint=error.hint, after=error.after)
        case PartUnavailable():
            return Reply(ReplyKind.UNAVAILABLE, reason=error.reason, unavailable=error.part)
        case MemoryError():
            return Reply(ReplyKind.MEMORY, reason="ran out of memory")
    stack = "".join(traceback.format_exception(error))
    return Reply(ReplyKind.RAISED, reason=f"{type(error).__name__}: {error}", stack=stack)


def _end(reply: Reply) -> _End:
    value: _Plain | _Invoked | _Ends
    match reply.value:
        case Invocation(output, objects):
            value = _Invoked(
                output, [_Object(produced.sha256, produced.media_type, produced.data) for produced in objects]
            )
        case [Reply(), *_] as replies:
            value = _Ends([_end(each) for each in replies])
        case other:
            value = _Plain(other)
    return _End(reply.ending, value, reply.reason, reply.hint, reply.stack, reply.after, reply.unavailable)


def _reply(end: _End) -> Reply:
    value: Any
    match end.value:
        case _Invoked(output, objects):
            value = Invocation(
                output, tuple(Produced(object_.sha256, object_.media_type, object_.data) for object_ in objects)
            )
        case _Ends(replies):
            value = [_reply(each) for each in replies]
        case _Plain(value):
            pass
    return Reply(end.ending, value, end.reason, end.hint, end.stack, end.after, end.unavailable)
