"""Taking a run from a request: its preferences, idempotency key, input and callback; then submitting and answering it."""

import uuid
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from fastapi import Request
from starlette.responses import Response

from gateway.callbacks.delivery import Callbacks
from gateway.catalogue.catalogue import Catalogue
from gateway.http import prefer
from gateway.monitoring.kafka_pulse import KafkaPulse
from gateway.submission.answers import RunAnswers
from gateway.submission.inputs import InputReader
from gateway.submission.submit import RunOrder, Submissions, keyed_run
from streams.language.topology import Topology


@dataclass(frozen=True)
class RunIntake:
    """Starts runs that HTTP requests ask for."""

    owner: str
    """The holder of the API key, whose idempotency keys these are."""
    catalogue: Catalogue
    inputs: InputReader
    callbacks: Callbacks
    submissions: Submissions
    answers: RunAnswers
    pulse: KafkaPulse

    async def start(self, request: Request, topology: Topology, callback: str | None = None) -> Response:
        """Read the input, submit the run, and answer. `callback`: the address to call back. Raises Problem."""
        stays = self.answers.check(request)
        key = prefer.idempotency_key(request.headers)
        if callback is not None:
            callback = self.callbacks.check(callback)
        run = keyed_run(self.owner, key) if key else str(uuid.uuid4())
        topology = self.catalogue.assigned(topology, run)
        self.inputs.check_size(request)
        with nullcontext() if key else self.submissions.expect(run):
            async with self.inputs.slot(request) as paced:
                input = await self.inputs.read(paced, topology.input, run)
                first = None if callback is None else partial(self.callbacks.keep, run, callback)
                order = RunOrder(run, topology, input, key is not None, stays, callback, first)
                fresh = await self.pulse.begin(run, self.submissions.submit(order))
                del input, order  # what was uploaded need not stay in memory while the client waits
            return await self.answers.respond(request, run, fresh)
