"""Notices: who was told of runs that ended, who could not be, and trying those again."""

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query
from psycopg.rows import DictRow
from starlette.responses import Response

from gateway.api import page_cursor
from gateway.api.json_response import json_response
from gateway.api.path_ids import known as of_uuid
from gateway.api.problems import Kind, Problem
from gateway.api.query_times import QueryTime
from gateway.dependencies import Parts, Shared
from streams.timestamps import moment

router = APIRouter(tags=["notices"])


class State(StrEnum):
    """What has become of a notice."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


@router.get("/notices", summary="Who was told of ended runs, newest first")
async def listing(
    parts: Parts = Shared,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    run: Annotated[str | None, Query(max_length=60)] = None,
    since: Annotated[QueryTime | None, Query(description="Only those of runs that ended since then.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """Each with how often it was tried, when it is tried next, and why the last try failed. Of a web address the host is shown."""
    async with parts.store.connection() as connection:
        found = await connection.execute(
            """select * from notices
                where (%(state)s::text is null or coalesce(outcome, 'waiting') = %(state)s)
                  and (%(run)s::text is null or run = %(run)s)
                  and (%(since)s::timestamptz is null or made_at >= %(since)s)
                order by made_at desc, id limit %(limit)s""",
            {"state": state, "run": run, "since": page_cursor.aware(since), "limit": limit},
        )
        return json_response({"notices": [_document(row) for row in await found.fetchall()]})


@router.post("/notices/{identity}/resend", status_code=202, summary="Try a notice again")
async def resend(identity: Annotated[str, Path(max_length=60)], parts: Parts = Shared) -> Response:
    """It is told again within seconds, with the same id; one that was delivered as well. Its tries count anew."""
    known = of_uuid(identity, "notice")
    async with parts.store.connection() as connection:
        found = await connection.execute(
            "update notices set outcome = null, tries = 0, due = now() where id = %s::uuid returning *", [known]
        )
        row = await found.fetchone()
    if row is None:
        raise Problem(Kind.NOT_FOUND, f"No notice {known} is known.")
    return json_response(_document(row), 202)


def _document(row: DictRow) -> dict[str, Any]:
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
