"""References that are not allowed: each fails its own run with the reason, and the service goes on with the others."""

import asyncio
import io
import json
import uuid
from pathlib import Path
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from PIL import Image

from schemas.contracts import load_contracts
from schemas.refs import Ref
from streams.messages import EventKind
from streams.runtime.connections.dead_letters import DeadLetters
from streams.settings import Settings
from streams.wire.records import Outgoing, Place, Record
from tests.integration.support.runtime_harness import RuntimeHarness, runtime_harness
from tests.integration.support.waiting import until

COMPUTED = """
pipeline: computed
input: {key: string}
nodes:
  grey:
    service: image-greyscale
    with: {image: "${dyn({'bucket': 'BUCKET', 'key': key, 'size': 5, 'sha256': 'SHA', 'media_type': 'image/png'})}"}
output: {image: "${grey.image}"}
"""
GREY = """
pipeline: grey
input: {image: image}
nodes: {grey: {service: image-greyscale, with: {image: "${image}"}, retry: {attempts: 1}}}
output: {image: "${grey.image}"}
"""
SHA = "0" * 64
ODD = [
    "",
    "/",
    "..",
    "../x",
    "a//b",
    "runs/",
    "runs/./x",
    "runs/../catalog/x",
    "runs/x\u0001",
    "runs/x y",
    "runs/" + "x" * 255,
    "runs/" + "x" * 2000,
    "runs/" + "x/" * 600 + "x",
    f"runs/{uuid.uuid4()}/outcomes/{SHA}",
    "catalog/pipelines/grey/00000001",
    "deliveries/image-greyscale/claims/1",
]


async def picture(runtime_harness: RuntimeHarness, run: str) -> Ref:
    """A picture among the objects of a run."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 100, 0)).save(out, "PNG")
    return await runtime_harness.connections.store.put(run, out.getvalue(), "image/png")


def test_odd_keys_fail_their_own_runs(settings: Settings, tmp_path: Path) -> None:
    """More of them than a service takes at a time, computed by a pipeline or sent by a producer: none is waited for."""

    async def main() -> None:
        async with runtime_harness(settings, tmp_path, 1) as runtime:
            await runtime.start("flow", "image-greyscale")
            text = COMPUTED.replace("BUCKET", settings.s3_bucket).replace("SHA", SHA)
            await runtime.publish(text, load_contracts())
            await runtime.publish(GREY)
            computed = {key: await runtime.submit("computed", {"key": key}) for key in ODD}
            missing = await runtime.submit("computed", {"key": f"runs/{uuid.uuid4()}/{SHA}"})
            topic = runtime.connections.names.requests("grey")
            sent = {}
            for key in ODD:
                run = str(uuid.uuid4())
                ref = {"bucket": settings.s3_bucket, "key": key, "size": 5, "sha256": SHA, "media_type": "image/png"}
                value = json.dumps({"image": ref}).encode()
                await runtime.connections.producer.send(
                    Outgoing(topic, run.encode(), value, (("millrace-run", run.encode()),))
                )
                sent[key] = run
            run = str(uuid.uuid4())
            good = await runtime.submit("grey", {"image": (await picture(runtime, run)).to_dict()}, run)
            assert set(await runtime.output(good)) == {"image"}
            for key, run in computed.items():
                last = (await runtime.ended(run)).event
                assert (last.kind, last.data["fault"]) == (EventKind.RUN_FAILED, "caller"), key
                assert "is not an object that a reference may name" in last.data["reason"], key
            assert "there is no object" in (await runtime.ended(missing)).event.data["reason"]
            answers = await until(lambda: _answers(runtime, set(sent.values())), 60, "an answer for each")
            for key, run in sent.items():
                assert answers[run]["status"] == "failed"
                assert "is not a key that is read" in answers[run]["failure"]["reason"], key

    asyncio.run(main())


def test_a_task_that_cannot_be_read_fails_its_run(settings: Settings, tmp_path: Path) -> None:
    """A task becomes a dead letter only after its run's events are sent: with the input gone or garbled, the run ends all the same."""

    async def main() -> None:
        async with runtime_harness(settings, tmp_path, 1) as runtime:
            await runtime.start("flow")
            await runtime.publish(GREY, load_contracts())
            topic = runtime.connections.names.tasks("image-greyscale", 1)
            runs = []
            for _ in range(2):
                run = str(uuid.uuid4())
                runs.append(await runtime.submit("grey", {"image": (await picture(runtime, run)).to_dict()}, run))
            garbled, spilled = await until(lambda: _tasks(runtime, topic, len(runs)))
            # Remove the tasks that no worker has taken, and put damaged ones in their place.
            await asyncio.to_thread(remove_records, settings, Place(topic, 0), spilled.offset + 1)
            gone = json.dumps(Ref(settings.s3_bucket, f"runs/{runs[1]}/{SHA}", 5, SHA, "application/avro").to_dict())
            headers = (*spilled.headers, ("millrace-spilled", gone.encode()))
            await runtime.connections.producer.send(Outgoing(topic, garbled.key, b"garbage", garbled.headers))
            await runtime.connections.producer.send(Outgoing(topic, spilled.key, b"", headers))
            worker = await runtime.start("image-greyscale")
            for run in runs:
                last = (await runtime.ended(run)).event
                assert (last.kind, last.data["fault"]) == (EventKind.RUN_FAILED, "service")
            letters = [letter async for letter in DeadLetters(runtime.connections).read()]
            assert {letter.run for letter in letters} == set(runs)
            run = str(uuid.uuid4())
            good = await runtime.submit("grey", {"image": (await picture(runtime, run)).to_dict()}, run)
            assert set(await runtime.output(good)) == {"image"}
            assert worker.process.poll() is None

    asyncio.run(main())


async def _answers(runtime: RuntimeHarness, runs: set[str]) -> dict[str, Any]:
    """The results of these runs, once all are there."""
    results = [await runtime.connections.codec.decode(record.value or b"") for record in await runtime.results("grey")]
    answers = {result["run"]: result for result in results if result["run"] in runs}
    return answers if answers.keys() == runs else {}


async def _tasks(runtime: RuntimeHarness, topic: str, count: int) -> list[Record]:
    records = await runtime.read(topic)
    return records if len(records) == count else []


def remove_records(settings: Settings, place: Place, before: int) -> None:
    """Removes the records of a partition before this offset."""
    admin = AdminClient({**settings.brokers.confluent()})
    for future in admin.delete_records([TopicPartition(*place, before)]).values():
        future.result(30)
