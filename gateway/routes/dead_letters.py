"""Dead letters: records that could not be processed, with their bytes, and sending them again."""

import base64
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from gateway.api.json_response import json_response
from gateway.api.page_cursor import aware
from gateway.api.path_ids import RunId
from gateway.api.problems import Fault, Kind, Problem
from gateway.api.query_times import QueryTime
from gateway.dependencies import DeadLettersDep
from streams.runtime.connections.dead_letters import DeadLetter, Filter
from streams.runtime.errors import Missing

router = APIRouter(tags=["dead letters"])


class DeadLetterQuery(BaseModel):
    """Selects dead letters."""

    topic: Annotated[str, Field(max_length=250, description="A part of the topic's name.")] = ""
    consumer: Annotated[str, Field(max_length=250, description="A part of the service's or agent's name.")] = ""
    run: Annotated[RunId, Field(max_length=60)] = ""
    path: Annotated[str, Field(max_length=500, description="A part of the place in the run.")] = ""
    reason: Annotated[str, Field(max_length=500, description="A part of the reason.")] = ""
    since: QueryTime | None = None
    until: QueryTime | None = None
    resent: Annotated[bool | None, Field(description="Only those that were, or were not, sent again.")] = None

    def filter(self) -> Filter:
        """Return the filter of this query."""
        since, until = _seconds(self.since), _seconds(self.until)
        return Filter(self.topic, self.consumer, self.run, self.path, self.reason, since, until, self.resent)


class ListingQuery(DeadLetterQuery):
    """Selects the newest dead letters."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50


class ResendQuery(DeadLetterQuery):
    """Selects the dead letters to send again."""

    all: Annotated[bool, Field(description="Every one that was not sent again yet.")] = False


@router.get("/dead-letters", summary="What could not be processed, the newest last")
async def listing(query: Annotated[ListingQuery, Query()], dead_letters: DeadLettersDep) -> Response:
    """Each with where it stood, why it was given up, and whether it was sent again; one alone shows its bytes.

    `more` says that there are older ones, which a higher `limit` shows.
    """
    letters = await dead_letters.newest(query.filter(), query.limit + 1)
    shown, more = letters[-query.limit :], len(letters) > query.limit
    return json_response({"dead_letters": [letter.document() for letter in shown], "count": len(shown), "more": more})


@router.post("/dead-letters/resend", summary="Send again those that a filter takes")
async def resend_all(query: Annotated[ResendQuery, Query()], dead_letters: DeadLettersDep) -> Response:
    """Those that were sent again already are skipped. Without any filter, `all=true` is needed."""
    selected = query.filter()
    if not selected and not query.all:
        fault = Fault("", "no filter was given", "give at least one, or all=true")
        raise Problem(Kind.INVALID, "No filter given: give at least one, or all=true.", [fault])
    sent = [letter async for letter in dead_letters.resend_all(selected)]
    return json_response({"resent": [_resent(letter) for letter in sent]})


@router.get("/dead-letters/{identity}", summary="One dead letter, with its headers, bytes and stack")
async def detail(identity: str, dead_letters: DeadLettersDep) -> Response:
    """Keys and header values that are not text are given as `…_base64`; the value always is."""
    try:
        letter = await dead_letters.show(identity)
    except Missing as error:
        raise Problem(Kind.NOT_FOUND, f"{error}.") from None
    return json_response(
        {
            **letter.document(),
            "headers": [{"name": name, **_text("value", value)} for name, value in letter.headers],
            **_text("key", letter.key),
            "value_base64": base64.b64encode(letter.value).decode() if letter.value is not None else None,
            "stack": letter.stack,
        }
    )


@router.post("/dead-letters/{identity}/resend", summary="Send one dead letter again")
async def resend(identity: str, dead_letters: DeadLettersDep) -> Response:
    """To its original topic, unchanged. It stays in the list, marked as sent again."""
    try:
        letter = await dead_letters.resend(identity)
    except Missing as error:
        raise Problem(Kind.NOT_FOUND, f"{error}.") from None
    return json_response(_resent(letter))


def _resent(letter: DeadLetter) -> dict[str, str | None]:
    return {"id": letter.id, "topic": letter.topic, "run": letter.run}


def _text(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}


def _seconds(when: datetime | None) -> float | None:
    zoned = aware(when)
    return None if zoned is None else zoned.timestamp()
