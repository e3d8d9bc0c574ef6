"""Dead letters: what could not be processed, with its bytes, and sending it again, singly or by filter."""

import base64
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from gateway.api.json_response import json_response
from gateway.api.page_cursor import aware
from gateway.api.path_ids import RunId
from gateway.api.problems import Fault, Kind, Problem
from gateway.api.query_times import QueryTime
from gateway.dependencies import Connected, Parts
from streams.runtime.connections.dead_letters import DeadLetters, Filter
from streams.runtime.errors import Missing

router = APIRouter(tags=["dead letters"])


def wanted(
    topic: Annotated[str, Query(max_length=250, description="A part of the topic's name.")] = "",
    consumer: Annotated[str, Query(max_length=250, description="A part of the service's or agent's name.")] = "",
    run: Annotated[RunId, Query(max_length=60)] = "",
    path: Annotated[str, Query(max_length=500, description="A part of the place in the run.")] = "",
    reason: Annotated[str, Query(max_length=500, description="A part of the reason.")] = "",
    since: Annotated[QueryTime | None, Query()] = None,
    until: Annotated[QueryTime | None, Query()] = None,
    resent: Annotated[bool | None, Query(description="Only those that were, or were not, sent again.")] = None,
) -> Filter:
    """The filter that a query says."""
    return Filter(topic, consumer, run, path, reason, _seconds(since), _seconds(until), resent)


Wanted = Depends(wanted)


@router.get("/dead-letters", summary="What could not be processed, the newest last")
async def listing(
    parts: Parts = Connected, chosen: Filter = Wanted, limit: Annotated[int, Query(ge=1, le=1000)] = 50
) -> Response:
    """Each with where it stood, why it was given up, and whether it was sent again; one alone shows its bytes.

    `more` says that there are older ones, which a higher `limit` shows.
    """
    found = await DeadLetters(parts.connections).newest(chosen, limit + 1)
    shown, more = found[-limit:], len(found) > limit
    return json_response({"dead_letters": [one.document() for one in shown], "count": len(shown), "more": more})


@router.post("/dead-letters/resend", summary="Send again those that a filter takes")
async def resend_all(
    parts: Parts = Connected,
    chosen: Filter = Wanted,
    all_: Annotated[bool, Query(alias="all", description="Every one that was not sent again yet.")] = False,
) -> Response:
    """Those that were sent again already are passed over. Without any filter, `all=true` must be said."""
    if not chosen and not all_:
        raise Problem(Kind.INVALID, "Say which.", [Fault("", "no filter was given", "say one, or all=true")])
    sent = [one async for one in DeadLetters(parts.connections).resend_all(chosen)]
    return json_response({"resent": [{"id": one.id, "topic": one.topic, "run": one.run} for one in sent]})


@router.get("/dead-letters/{identity}", summary="One dead letter, with its headers, bytes and stack")
async def detail(identity: str, parts: Parts = Connected) -> Response:
    """Keys and header values that are no text stand as `…_base64`; the value always does."""
    try:
        one = await DeadLetters(parts.connections).show(identity)
    except Missing as error:
        raise Problem(Kind.NOT_FOUND, f"{error}.") from None
    return json_response(
        {
            **one.document(),
            "headers": [{"name": name, **_text("value", value)} for name, value in one.headers],
            **_text("key", one.key),
            "value_base64": base64.b64encode(one.value).decode() if one.value is not None else None,
            "stack": one.stack,
        }
    )


@router.post("/dead-letters/{identity}/resend", summary="Send one dead letter again")
async def resend(identity: str, parts: Parts = Connected) -> Response:
    """To the topic where it stood, as it was. It stays in the list, marked."""
    try:
        one = await DeadLetters(parts.connections).resend(identity)
    except Missing as error:
        raise Problem(Kind.NOT_FOUND, f"{error}.") from None
    return json_response({"id": one.id, "topic": one.topic, "run": one.run})


def _text(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}


def _seconds(when: datetime | None) -> float | None:
    known = aware(when)
    return None if known is None else known.timestamp()
