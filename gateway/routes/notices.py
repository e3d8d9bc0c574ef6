"""Notices of ended runs: which were delivered, which failed, and sending one again."""

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from gateway.api import page_cursor
from gateway.api.json_response import json_response
from gateway.api.path_ids import known as of_uuid
from gateway.api.problems import Kind, Problem
from gateway.api.query_times import QueryTime
from gateway.data.interfaces import Row
from gateway.dependencies import NoticesDep
from streams.timestamps import moment

router = APIRouter(tags=["notices"])


class State(StrEnum):
    """The states of a notice."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


class NoticeQuery(BaseModel):
    """Selects notices, newest first."""

    state: Annotated[State | None, Field(description="Only those in this state.")] = None
    run: Annotated[str | None, Field(max_length=60)] = None
    since: Annotated[QueryTime | None, Field(description="Only those of runs that ended since then.")] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


@router.get("/notices", summary="Notices of ended runs, newest first")
async def listing(query: Annotated[NoticeQuery, Query()], notices: NoticesDep) -> Response:
    """Each with how often it was tried, when it is tried next, and why the last try failed. Of a web address the host is shown."""
    rows = await notices.page(query.state, query.run, page_cursor.aware(query.since), query.limit)
    return json_response({"notices": [_document(row) for row in rows]})


@router.post("/notices/{identity}/resend", status_code=202, summary="Try a notice again")
async def resend(identity: Annotated[str, Path(max_length=60)], notices: NoticesDep) -> Response:
    """Send it again within seconds, with the same id, also when it was delivered. Its tries are counted from zero."""
    known = of_uuid(identity, "notice")
    row = await notices.resend(known)
    if row is None:
        raise Problem(Kind.NOT_FOUND, f"No notice {known} is known.")
    return json_response(_document(row), 202)


def _document(row: Row) -> dict[str, Any]:
    target = row["target"]
    if row["channel"] == "webhook":  # the rest of the address may be the receiver's token
        split = urlsplit(target)
        target = f"{split.scheme}://{split.netloc}"
    state = row["outcome"] or State.WAITING.value
    return {
        "id": str(row["id"]),
        "run": row["run"],
        "pipeline": row["pipeline"],
        "event": row["kind"],
        "channel": row["channel"],
        "to": target,
        "state": state,
        "tries": row["tries"],
        "next_try_at": moment(row["due"]) if state == State.WAITING else None,
        "error": row["error"],
        "at": moment(row["made_at"]),
        "links": {"run": f"/runs/{row['run']}"},
    }
