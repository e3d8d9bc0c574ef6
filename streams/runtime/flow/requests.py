"""Requests: a record on `pipeline.<name>.requests` becomes a Start, or an error result and a dead letter.

A request comes from a gateway, whose headers name its run, or from a foreign producer, whose headers are ignored.
"""

import time
import uuid
from collections.abc import Iterable
from dataclasses import replace

from schemas.encoding.codec import value_subject
from schemas.errors import Nonconforming, Problem, Undecodable
from schemas.refs import readable, walk
from schemas.results import result_schema
from schemas.validation.conform import conform
from streams.flow.rollout import shadow_run
from streams.language.topology import Topology
from streams.messages import NAMESPACE, Event, EventKind, Failure, Fault, Run, Start, run_id
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.connections.publish import Publisher
from streams.wire.avro_records import failure as plain_failure
from streams.wire.codec import DIGEST, RUN, content_type, traceparent
from streams.wire.records import Outgoing, Record


class Requests:
    """Reads requests, and answers those that are refused."""

    def __init__(
        self, connections: Connections, pipelines: Pipelines, publisher: Publisher, letters: DeadLetters
    ) -> None:
        self._connections = connections
        self._pipelines = pipelines
        self._publisher = publisher
        self._letters = letters
        self._topic_ids: dict[str, str] = {}

    async def know(self, topics: Iterable[str]) -> None:
        """Look up the ids of topics, from which the run ids of foreign requests derive."""
        self._topic_ids.update(await self._connections.admin.ids(sorted(set(topics) - self._topic_ids.keys())))

    async def start(self, record: Record) -> Start | None:
        """Read a request; return None when it was refused and answered.

        A run that a gateway has accepted has an id already, and may be in progress from an earlier delivery: its refusal is
        returned as a Start, so that the order of flow's log decides.
        """
        name = self._connections.names.pipeline_of(record.place.topic)
        known = _gateway_run(record)
        run = known or await self._derived_run(record)
        version = self._pipelines.latest(name)
        if version is None:
            await self._letters.write(record, "flow", f"there is no pipeline {name}", run=run)
            return None
        topology = self._promised(record, name, run) or await self._pipelines.wait_topology(version.rollout.digest(run))
        deadline = _accepted_at(record, topology.timeout, from_gateway=known is not None) + topology.timeout
        start = Start(Run(run, topology.name, topology.digest, deadline), {}, record.where)
        if not version.active:
            reason = f"pipeline {name} was removed before the run began"
            await self._letters.write(record, "flow", reason, run=run)
            return replace(start, refused=Failure(reason, Fault.PIPELINE, hint="publish it again, then ask again"))
        try:
            values = await self._publisher.patiently(lambda: self._input(record, topology))
        except Nonconforming as error:
            problems = error.problems
        except Undecodable as error:
            hint = "send an object in JSON, or a record in Avro whose schema the registry has"
            problems = [Problem("", str(error), hint)]
        else:
            return replace(start, input=values)
        failure = _refusal(problems)
        await self._letters.write(record, "flow", failure.reason, run=run)
        if known:
            return replace(start, refused=failure)
        await self._answer(topology, run, failure, problems)
        return None

    def _promised(self, record: Record, name: str, run: str) -> Topology | None:
        """Find the version that a gateway named to the run's client, which may not be the active one here; None: it named none."""
        digest = record.header(DIGEST)
        if digest is None or _id(record.header(RUN)) != run:
            return None
        topology = self._pipelines.topology(digest.decode(errors="replace"))
        return topology if topology is not None and topology.name == name else None

    async def shadow(self, start: Start) -> Start | None:
        """Build the Start of this run's shadow; None when no version of its pipeline runs in the shadow, or its input does not fit."""
        digest = self._pipelines.shadow(start.run.pipeline)
        if digest is None or start.refused is not None:
            return None
        topology = await self._pipelines.wait_topology(digest)
        original = self._pipelines.topology(start.run.digest)
        accepted_at = start.run.deadline - original.timeout if original else time.time()
        deadline = accepted_at + topology.timeout
        run = Run(shadow_run(start.run.id, digest), topology.name, digest, deadline, shadow_of=start.run.id)
        try:
            return Start(run, conform(topology.input, start.input), start.source)
        except Nonconforming as error:
            data = {"reason": f"the request does not fit its input: {error}", "fault": Fault.CALLER.value, "hint": ""}
            accepted = Event(run, EventKind.ACCEPTED, data={"shadow_of": start.run.id, "source": start.source})
            await self._publisher.publish_events([accepted, Event(run, EventKind.RUN_FAILED, data=data)])
            return None

    def shadow_of(self, run: Run) -> str | None:
        """Compute the id of a run's shadow; None when no version of its pipeline runs in the shadow now, or the run is a shadow itself."""
        digest = None if run.shadow_of else self._pipelines.shadow(run.pipeline)
        return shadow_run(run.id, digest) if digest else None

    async def _input(self, record: Record, topology: Topology) -> dict[str, object]:
        if record.value is None:
            raise Undecodable("the record has no value")
        media_type = content_type(record.headers)
        bucket = self._connections.store.bucket
        values: dict[str, object] = await self._connections.codec.accept(record.value, topology.input, media_type)
        problems = [
            Problem(path, f"objects are taken from the bucket {bucket} only, not from {ref.bucket:.80}")
            if ref.bucket != bucket
            else Problem(
                path, f"{ref.key!r:.120} is not a key that is read", "put it under uploads/, runs/ or datasets/"
            )
            for path, ref in walk(topology.input, values)
            if ref.bucket != bucket or not readable(ref.key)
        ]
        if problems:
            raise Nonconforming(problems)
        return values

    async def _derived_run(self, record: Record) -> str:
        """Derive the run id of a foreign request: redelivered, it is the same run."""
        topic = record.place.topic
        if topic not in self._topic_ids:
            await self.know([topic])
        return str(uuid.uuid5(NAMESPACE, f"{self._topic_ids[topic]}/{record.place.partition}/{record.offset}"))

    async def _answer(self, topology: Topology, run: str, failure: Failure, problems: list[Problem]) -> None:
        """Send an error result under the run id that the request would have had."""
        topic = self._connections.names.results(topology.name)
        answer = {
            "run": run,
            "pipeline": topology.name,
            "digest": topology.digest,
            "status": "failed",
            "output": None,
            "failure": plain_failure(failure),
            "problems": [problem.to_json() for problem in problems],
        }
        schema = result_schema(topology.name, topology.output)
        value = await self._publisher.patiently(
            lambda: self._connections.codec.encode(value_subject(topic), schema, answer)
        )
        headers = (
            ("ce_specversion", b"1.0"),
            ("ce_id", run.encode()),
            ("ce_type", b"run.failed"),
            ("ce_source", b"flow"),
            ("content-type", b"application/avro"),
            ("traceparent", traceparent(run, run).encode()),
        )
        await self._connections.producer.send(Outgoing(topic, run.encode(), value, headers))


def _gateway_run(record: Record) -> str | None:
    """Read the run id that a gateway gave to this request; None for a foreign one, whose header is not its key."""
    run, key = _id(record.header(RUN)), _id(record.key)
    return run if run == key else None


def _id(data: bytes | None) -> str | None:
    try:
        return None if data is None else run_id(data.decode())
    except ValueError:
        return None


def _accepted_at(record: Record, timeout: float, *, from_gateway: bool) -> float:
    """Compute when a run was asked for (epoch seconds): its time does not restart when its record is delivered again.

    A gateway's clock is trusted. A foreign producer's may say anything, and a foreign request that waited longer than the
    pipeline's timeout while flow was down is served all the same: its time begins now.
    """
    now = time.time()
    sent = min(record.timestamp, now)
    return sent if from_gateway or sent + timeout > now else now


def _refusal(problems: list[Problem]) -> Failure:
    # Operators select dead letters by this text: it stays as it is.
    reason = "the request is no record of the pipeline's input: " + "; ".join(map(str, problems))
    return Failure(reason, Fault.CALLER)
