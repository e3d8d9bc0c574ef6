"""Runs: listing them, the state, events and result of each, explaining, repeating and cancelling it."""

import asyncio
import contextlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from gateway.api import page_cursor
from gateway.api.json_response import json_response
from gateway.api.links import links
from gateway.api.path_ids import RunId
from gateway.api.problems import Fault, Kind, Problem
from gateway.api.query_times import QueryTime
from gateway.data.interfaces import HistoryUnavailable, RunFilter, RunHistory
from gateway.data.render import placed
from gateway.dependencies import (
    AnswersDep,
    ExplainerDep,
    HistoryDep,
    LimitsDep,
    PulseDep,
    ReplayerDep,
    RunEventsDep,
    RunStreamsDep,
    SenderDep,
)
from gateway.following.run_streams import client_of
from gateway.following.view import result
from gateway.http import body, prefer, sse
from gateway.submission.replay import ReplayRequest
from streams.lifecycle import RunStatus
from streams.timestamps import moment

router = APIRouter(tags=["runs"])

STATUSES = tuple(RunStatus)
_REPLAYS_TIMEOUT = 0.5
"""Seconds for looking up the replays of a run, without which the answer is given all the same."""
_REPLAY = body.described(
    {
        "type": "object",
        "properties": {"from": {"type": "string"}, "set": {"type": "object"}},
        "additionalProperties": False,
    }
)


class RunQuery(BaseModel):
    """Selects runs, newest first."""

    pipeline: Annotated[str | None, Field(max_length=200, description="Only runs of this pipeline or service.")] = None
    status: Annotated[list[str] | None, Field(description="Only runs in one of these states.")] = None
    since: Annotated[QueryTime | None, Field(description="Only runs accepted at or after this time.")] = None
    until: Annotated[QueryTime | None, Field(description="Only runs accepted before this time.")] = None
    shadow_of: Annotated[str | None, Field(max_length=60, description="Shadows of this run; else none.")] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str | None, Field(max_length=300, description="`next` of the page before.")] = None

    def filter(self) -> RunFilter:
        """Return the filter, for one run more than the page shows. Raises Problem (422) for a bad status or cursor."""
        statuses = [status for text in self.status or () for status in text.split(",") if status]
        faults = [
            Fault("status", f"no run is ever {status!r}", f"one of {', '.join(STATUSES)}")
            for status in statuses
            if status not in STATUSES
        ]
        if faults:
            raise Problem(Kind.INVALID, "Some parameters are not what this call takes.", faults)
        since, until = page_cursor.aware(self.since), page_cursor.aware(self.until)
        before = page_cursor.read(self.cursor)
        return RunFilter(self.pipeline, statuses, since, until, before, self.limit + 1, self.shadow_of)


@router.get("/runs", summary="Runs, newest first")
async def listing(query: Annotated[RunQuery, Query()], history: HistoryDep) -> Response:
    """From the history, which follows the events by a moment."""
    rows = await history.runs(query.filter())
    page, more = rows[: query.limit], len(rows) > query.limit
    return json_response({"runs": [_summary(row) for row in page], "next": _cursor(page[-1]) if more else None})


@router.get("/runs/{run}", summary="The state of a run and of every node execution")
async def detail(run: RunId, run_events: RunEventsDep, history: HistoryDep) -> Response:
    """Its input, output or failure, and each step with its input and output."""
    async with run_events.open(run) as buffer:
        document = (await run_events.view(buffer)).to_json()
        ended = buffer.ended
    if ended and (replays := await _replays(history, run)):
        document["replays"] = replays
    return json_response(document)


@router.get("/runs/{run}/result", summary="The result of a run that has ended")
async def outcome(
    run: RunId, request: Request, limits: LimitsDep, run_events: RunEventsDep, run_streams: RunStreamsDep
) -> Response:
    """Return the output; a problem when the run failed or was cancelled, and 409 while it is running. `Prefer: wait=N` waits N seconds."""
    seconds = prefer.wait(request.headers, limits.wait) or 0.0
    async with run_events.open(run) as buffer:
        last = await run_streams.wait_for_end(buffer, seconds, request)
        if last is None:
            status = (await run_events.view(buffer)).status
            raise Problem(
                Kind.RUN_NOT_OVER,
                f"The run is {status}; follow its events, or ask with `Prefer: wait=N`.",
                headers={"Retry-After": "1"},
                extra={"id": run, "run_status": status, "links": links(run)},
            )
        return json_response(result(run, last))


@router.get(
    "/runs/{run}/events",
    summary="The events of a run as they come (SSE)",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {}}},
        204: {"description": "There is nothing after Last-Event-ID."},
    },
)
async def events(run: RunId, request: Request, run_events: RunEventsDep, run_streams: RunStreamsDep) -> Response:
    """Server-sent events; `Last-Event-ID` resumes after that one, on any gateway. The stream ends after the last event."""
    after = sse.last_event_id(request.headers)
    async with run_events.open(run, current=False) as buffer:
        if buffer.ended and buffer.events[-1].sequence <= after:
            return Response(status_code=204)  # makes a browser's EventSource stop reconnecting
        return await run_streams.response(run, client_of(request), after)


@router.delete("/runs/{run}", status_code=202, summary="Cancel a run")
async def cancel(run: RunId, run_events: RunEventsDep, sender: SenderDep) -> Response:
    """202: it is requested, and the run's last event shows the result; 409 when the run has ended."""
    async with run_events.open(run) as buffer:
        if buffer.ended:
            status = (await run_events.view(buffer)).status
            raise Problem(
                Kind.RUN_OVER,
                f"The run is {status} already.",
                extra={"id": run, "run_status": status, "links": links(run)},
            )
        await sender.cancel(run)
        return json_response({"id": run, "status": "cancelling", "links": links(run)}, 202)


@router.get("/runs/{run}/explain", summary="Why a run is where it is")
async def why(run: RunId, run_events: RunEventsDep, pulse: PulseDep, explainer: ExplainerDep) -> Response:
    """Explain what it waits for now, from live data; what was skipped, with the condition and what it read; how it came to its end."""
    # While Kafka is silent, the answer is made from what is known, and says that Kafka is unavailable.
    async with run_events.open(run, current=not pulse.silent) as buffer:
        view = await run_events.view(buffer)
    return json_response(await explainer.explain(view))


@router.post("/runs/{run}/replay", status_code=202, summary="Repeat a run", openapi_extra=_REPLAY)
async def repeat(
    run: RunId,
    request: Request,
    limits: LimitsDep,
    run_events: RunEventsDep,
    replayer: ReplayerDep,
    answers: AnswersDep,
) -> Response:
    """Start a new run linked to this one. `from`: what does not come after that node is taken over, and not executed again.

    `set`: other values by path, of an input (`strength`) or of an output (`detect.faces[0].score`), held against its type.
    Without either, everything runs again. 410 when an object that it needs has expired.
    """
    answers.check(request)
    wanted = ReplayRequest.of(await body.read_json(request, limits))
    async with run_events.open(run) as buffer:
        view, input = await run_events.view(buffer), await run_events.input(buffer)
    started = await replayer.replay(view, input, wanted, prefer.idempotency_key(request.headers))
    return await answers.respond(request, started.run, replay_of=run, reused=started.reused)


async def _replays(history: RunHistory, run: str) -> list[str]:
    """Return the runs that repeat a run; none while the history is unavailable, so that the rest is shown all the same."""
    with contextlib.suppress(HistoryUnavailable, TimeoutError):
        async with asyncio.timeout(_REPLAYS_TIMEOUT):
            return await history.replays(run)
    return []


def _summary(row: Any) -> dict[str, Any]:
    accepted, ended = row["accepted_at"], row["ended_at"]
    return {
        "id": row["run"],
        "pipeline": row["pipeline"],
        "digest": row["digest"],
        "status": row["status"],
        "waiting_for": row["waiting_for"],
        "accepted_at": moment(accepted),
        "ended_at": moment(ended),
        "seconds": round((ended - accepted).total_seconds(), 3) if accepted and ended else None,
        "failure": None if row["failure"] is None else placed(row["failure"]),
        **{name: row[name] for name in ("replay_of", "shadow_of") if row[name]},
        "links": links(row["run"]),
    }


def _cursor(row: Any) -> str | None:
    return None if row["accepted_at"] is None else page_cursor.written(row["accepted_at"], row["run"])
