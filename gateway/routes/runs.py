"""Runs: what there is, what each did, its events as they come, its result, and stopping it."""

import asyncio
import contextlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.api import page_cursor as cursors
from gateway.api.json_response import json_response
from gateway.api.links import links
from gateway.api.path_ids import RunId
from gateway.api.problems import Fault, Kind, Problem
from gateway.api.query_times import QueryTime
from gateway.data.history import HistoryUnavailable, RunFilter
from gateway.data.render import placed
from gateway.dependencies import Connected, Parts, Shared
from gateway.following import stream
from gateway.following.explain import explain
from gateway.following.run_buffer import RunBuffer
from gateway.following.view import RunView, result
from gateway.http import body, prefer, sse
from gateway.submission.answers import respond
from gateway.submission.replay import ReplayRequest, replay
from streams.lifecycle import RunStatus
from streams.timestamps import moment

router = APIRouter(tags=["runs"])

STATUSES = tuple(RunStatus)
_YIELD = 200
_MOMENT = 0.5
"""Seconds in which the history may add to what is known without it."""
_REPLAY = body.described(
    {
        "type": "object",
        "properties": {"from": {"type": "string"}, "set": {"type": "object"}},
        "additionalProperties": False,
    }
)


@router.get("/runs", summary="Runs, newest first")
async def listing(
    parts: Parts = Shared,
    pipeline: Annotated[str | None, Query(max_length=200, description="Only runs of this pipeline or service.")] = None,
    status: Annotated[list[str] | None, Query(description="Only runs in one of these states.")] = None,
    since: Annotated[QueryTime | None, Query(description="Only runs accepted at or after this time.")] = None,
    until: Annotated[QueryTime | None, Query(description="Only runs accepted before this time.")] = None,
    shadow_of: Annotated[str | None, Query(max_length=60, description="Shadows of this run; else none.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=300, description="`next` of the page before.")] = None,
) -> Response:
    """From the history, which follows the events by a moment."""
    wanted = [one for text in status or () for one in text.split(",") if one]
    faults = [
        Fault("status", f"no run is ever {one!r}", f"one of {', '.join(STATUSES)}")
        for one in wanted
        if one not in STATUSES
    ]
    if faults:
        raise Problem(Kind.INVALID, "Some parameters are not what this call takes.", faults)
    rows = await parts.store.runs(
        RunFilter(
            pipeline, wanted, cursors.aware(since), cursors.aware(until), cursors.read(cursor), limit + 1, shadow_of
        )
    )
    page, more = rows[:limit], len(rows) > limit
    document = {"runs": [_summary(row) for row in page], "next": _cursor(page[-1]) if more else None}
    return json_response(document)


@router.get("/runs/{run}", summary="The state of a run and of every node execution")
async def detail(run: RunId, parts: Parts = Shared) -> Response:
    """Its input, output or failure, and each step with its input and output."""
    async with parts.journal.open(run) as buffer:
        document = (await view(parts, buffer)).to_json()
        ended = buffer.ended
    if ended:
        with contextlib.suppress(HistoryUnavailable, TimeoutError):
            async with asyncio.timeout(_MOMENT):  # without the history, the rest is as good
                if replays := await parts.store.replays(run):
                    document["replays"] = replays
    return json_response(document)


@router.get("/runs/{run}/result", summary="The result of a run that has ended")
async def outcome(run: RunId, request: Request, parts: Parts = Shared) -> Response:
    """The output; a problem when the run failed or was cancelled, and 409 while it goes on. `Prefer: wait=N` waits."""
    seconds = prefer.wait(request.headers, parts.limits.wait) or 0.0
    async with parts.journal.open(run) as buffer:
        last = await parts.streams.ended(buffer, seconds, request)
        if last is None:
            status = (await view(parts, buffer)).status
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
async def events(run: RunId, request: Request, parts: Parts = Shared) -> Response:
    """Server-sent events; `Last-Event-ID` resumes after that one, on any gateway. The stream ends after the last event."""
    after = sse.last_event_id(request.headers)
    async with parts.journal.open(run, current=False) as buffer:
        if buffer.ended and buffer.events[-1].sequence <= after:
            return Response(status_code=204)  # tells a browser's EventSource not to come back
        return await parts.streams.response(run, stream.client_of(request), after)


@router.delete("/runs/{run}", status_code=202, summary="Cancel a run")
async def cancel(run: RunId, parts: Parts = Shared) -> Response:
    """202: asked for, and the run's last event says what came of it; 409 when the run has ended."""
    async with parts.journal.open(run) as buffer:
        if buffer.ended:
            status = (await view(parts, buffer)).status
            raise Problem(
                Kind.RUN_OVER,
                f"The run is {status} already.",
                extra={"id": run, "run_status": status, "links": links(run)},
            )
        await parts.sender.cancel(run)
        return json_response({"id": run, "status": "cancelling", "links": links(run)}, 202)


@router.get("/runs/{run}/explain", summary="Why a run is where it is")
async def why(run: RunId, parts: Parts = Connected) -> Response:
    """What it waits for now, from live data; what was skipped, with the condition and what it read; how it came to its end."""
    # While Kafka is silent what is known has to do; the answer says that it is away.
    async with parts.journal.open(run, current=not parts.pulse.silent) as buffer:
        made = await view(parts, buffer)
    return json_response(await explain(parts, made))


@router.post("/runs/{run}/replay", status_code=202, summary="Repeat a run", openapi_extra=_REPLAY)
async def repeat(run: RunId, request: Request, parts: Parts = Connected) -> Response:
    """A new run linked to this one. `from`: what does not come after that node is taken over, and not executed again.

    `set`: other values by path, of an input (`strength`) or of an output (`detect.faces[0].score`), held against its type.
    Without either, everything runs again. 410 when an object that it needs has expired.
    """
    prefer.wait(request.headers, parts.limits.wait)
    wish = ReplayRequest.of(await body.read_json(request, parts.limits))
    async with parts.journal.open(run) as buffer:
        made, given = await view(parts, buffer), await parts.journal.input(buffer)
    begun = await replay(parts, made, given, wish, prefer.idempotency_key(request.headers))
    return await respond(parts, request, begun.run, replay_of=run, reused=begun.reused)


async def view(parts: Parts, buffer: RunBuffer) -> RunView:
    """The state that a run's events so far make."""
    made = RunView(buffer.run)
    for position in range(len(buffer.events)):
        body = await parts.journal.body(buffer, position)
        if body:
            made.fold((json.loads(body),))
        if position % _YIELD == _YIELD - 1:
            await asyncio.sleep(0)  # a run of many events must not hold up everybody else
    return made


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
    return None if row["accepted_at"] is None else cursors.written(row["accepted_at"], row["run"])
