"""Answering a submission: accepted, its events, or its result, as the client prefers."""

from fastapi import Request
from starlette.responses import Response

from gateway.api.json_response import json_response
from gateway.api.limits import Limits
from gateway.api.links import links
from gateway.api.problems import Problem
from gateway.following.run_events import RunEvents
from gateway.following.run_streams import RunStreams, client_of
from gateway.following.view import result
from gateway.http import prefer


class RunAnswers:
    """Answers requests that asked for a run."""

    def __init__(self, run_events: RunEvents, streams: RunStreams, limits: Limits) -> None:
        self._run_events = run_events
        self._streams = streams
        self._limits = limits

    def check(self, request: Request) -> bool:
        """Return whether the client stays for events or the result. Raises Problem: 400, and 503 without a free slot."""
        seconds = prefer.wait(request.headers, self._limits.wait)
        events = prefer.events(request.headers)
        if events:
            self._streams.check_capacity(client_of(request))
        return events or seconds is not None

    async def respond(self, request: Request, run: str, fresh: bool = True, **members: object) -> Response:
        """Answer a client that asked for a run. `fresh`: it starts now, and has not ended before. `members`: of the 202."""
        seconds = prefer.wait(request.headers, self._limits.wait)
        location = {"Location": f"/runs/{run}"}
        if prefer.events(request.headers):
            return await self._streams.response(run, client_of(request), headers=location)
        if not fresh:
            seconds = 0.0
        if seconds is not None:
            async with self._run_events.open(run, current=False) as buffer:
                try:
                    last = await self._streams.wait_for_end(buffer, seconds, request)
                except Problem:  # no slot to wait in: the run continues all the same, and the answer says where
                    last = None
            if last is not None:
                applied = {"Preference-Applied": f"wait={seconds:g}"} if fresh else {}
                return json_response(result(run, last), 200, {**location, **applied})
        return json_response({"id": run, "status": "accepted", **members, "links": links(run)}, 202, location)
