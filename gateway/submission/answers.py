"""Answering a submission: accepted, its events, or its result, as the client prefers."""

import uuid
from contextlib import nullcontext
from functools import partial

from fastapi import Request
from starlette.responses import Response

from gateway.api.json_response import to_json
from gateway.api.links import links
from gateway.api.problems import Problem
from gateway.catalogue import catalogue
from gateway.dependencies import Parts
from gateway.following import stream
from gateway.following.view import result
from gateway.http import body, prefer
from gateway.submission import inputs
from gateway.submission.submit import RunOrder, keyed_run
from streams.language.topology import Topology


async def start(parts: Parts, request: Request, topology: Topology, callback: str | None = None) -> Response:
    """Reads the input, submits the run, and answers. Raises Problem."""
    seconds = prefer.wait(request.headers, parts.limits.wait)  # refused before anything is done
    key = prefer.idempotency_key(request.headers)
    if prefer.events(request.headers):
        parts.streams.room(stream.client_of(request))
    if callback is not None:
        callback = parts.callbacks.check(callback)
    run = keyed_run(parts.keeper.owner, key) if key else str(uuid.uuid4())
    topology = catalogue.assigned(parts, topology, run)
    body.announced(request, parts.limits.body)
    with nullcontext() if key else parts.journal.fresh(run):
        async with nullcontext(request) if body.is_small(request) else parts.uploads.place(request) as paced:
            given = await inputs.read(paced, topology.input, run, parts.limits, parts.objects)
            first = None if callback is None else partial(parts.callbacks.keep, run, callback)
            stays = seconds is not None or prefer.events(request.headers)
            order = RunOrder(run, topology, given, key is not None, stays, callback, first)
            fresh = await parts.pulse.begin(run, parts.submissions.submit(order))
            del given, order  # what was uploaded need not stay in memory while the client waits
        return await respond(parts, request, run, fresh)


async def respond(parts: Parts, request: Request, run: str, fresh: bool = True, **more: object) -> Response:
    """The answer to who asked for a run that begins now (`fresh`), or has ended before. `more`: members of the 202."""
    seconds = prefer.wait(request.headers, parts.limits.wait)
    place = {"Location": f"/runs/{run}"}
    if prefer.events(request.headers):
        return await parts.streams.response(run, stream.client_of(request), headers=place)
    if not fresh:
        seconds = 0.0
    if seconds is not None:
        async with parts.journal.open(run, current=False) as buffer:
            try:
                last = await parts.streams.ended(buffer, seconds, request)
            except Problem:  # no place to wait here: the run goes on all the same, and the answer says where
                last = None
        if last is not None:
            applied = {"Preference-Applied": f"wait={seconds:g}"} if fresh else {}
            return Response(to_json(result(run, last)), 200, {**place, **applied}, "application/json")
    document = {"id": run, "status": "accepted", **more, "links": links(run)}
    return Response(to_json(document), 202, place, "application/json")
