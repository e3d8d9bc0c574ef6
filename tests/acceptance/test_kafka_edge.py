"""The Kafka edge: a line in a topic starts a pipeline, and no record blocks the others."""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.acceptance import pictures
from tests.acceptance.kafka_client import KafkaClient, Place, access
from tests.acceptance.sse import check_order
from tests.acceptance.system import System
from tests.integration.support.eventually import eventually

REQUESTS, RESULTS = "pipeline.face-blur.requests", "pipeline.face-blur.results"
RESIZES, RESIZED = "pipeline.image-resize.requests", "pipeline.image-resize.results"


@pytest.fixture(scope="module")
def kafka_client(system: System) -> Iterator[KafkaClient]:
    """Somebody who knows the addresses of Kafka, the registry and S3, and nothing else."""
    made = KafkaClient(system.settings)
    yield made
    made.close()


def resize(ref: dict[str, Any], width: int) -> bytes:
    """A request of image-resize as a line of JSON; its width is what the result is known by."""
    return json.dumps({"image": ref, "width": width}).encode()


def run_at(kafka_client: KafkaClient, place: Place) -> str:
    """The run that the record at this place began, as its accepted event says. Fails when it began none, or several."""
    said = kafka_client.await_record("run.events", lambda event: _source(event) == str(place))
    found = {event["run"]["id"] for event in kafka_client.all_records("run.events") if _source(event) == str(place)}
    assert found == {said["run"]["id"]}
    return str(said["run"]["id"])


def _source(event: dict[str, Any]) -> str | None:
    source: str | None = _data(event).get("source")
    return source


def _data(event: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(event["data"]["json"])
    return data


def test_a_line_of_json_gives_a_typed_result(system: System, kafka_client: KafkaClient) -> None:
    """One line without key or header starts a run; its typed result is on .results, its picture in the bucket."""
    ref = kafka_client.upload(pictures.astronaut())
    kafka_client.pipe(REQUESTS, json.dumps({"photo": ref, "strength": 0.9}))
    said = kafka_client.await_record("run.events", lambda event: _data(event).get("input", {}).get("photo") == ref)
    answer = kafka_client.await_record(RESULTS, lambda one: one["run"] == said["run"]["id"])
    assert answer["status"] == "finished"
    assert (answer["pipeline"], answer["failure"], answer["problems"]) == ("face-blur", None, [])
    image = answer["output"]["image"]
    assert image["media_type"] == "image/png"
    given = system.object({"href": f"/objects/{image['bucket']}/{image['key']}"}).content
    assert (len(given), pictures.sha256(given)) == (image["size"], image["sha256"])
    assert pictures.opened(given).size == (512, 512)
    received = system.follow(answer["run"])  # a run of a stranger is a run like any other
    check_order(received)
    assert received[-1].data["output"]["image"]["ref"] == image
    with system.http as http:
        assert http.get(f"/runs/{answer['run']}").json()["status"] == "finished"


def test_an_avro_record_is_taken_too(system: System, kafka_client: KafkaClient) -> None:
    """A record written with the registered schema gives the same as JSON does."""
    ref = kafka_client.upload(pictures.astronaut())
    key = str(uuid.uuid4()).encode()
    place = kafka_client.send(REQUESTS, kafka_client.encode(REQUESTS, {"photo": ref, "strength": 0.7}), key=key)
    run = run_at(kafka_client, place)
    assert run != key.decode()  # a stranger's key says where the record goes, not which run it is
    assert kafka_client.await_record(RESULTS, lambda one: one["run"] == run)["status"] == "finished"
    check_order(system.follow(run))


def test_garbage_is_answered_and_blocks_nothing(system: System, kafka_client: KafkaClient) -> None:
    """Each kind of garbage gives a dead letter with its bytes and an error result; the good record behind them runs."""
    ref = kafka_client.upload(pictures.small())
    elsewhere = {**ref, "bucket": "another"}
    values = [
        b"\x00\x01\x02 garbage \xff",
        b"",
        b"{",
        b"[1, 2]",
        b'{"width": 3}',
        resize({**ref, "size": "big"}, 3),
        resize(elsewhere, 3),
        b"\x00\x00\x0f\xff\xff nobody's schema",
        kafka_client.encode(RESIZES, {"image": ref, "width": 3, "height": None, "fit": "contain"})[:-8],
    ]
    partition = 0
    bad = [kafka_client.send(RESIZES, value, partition=partition) for value in values]
    good = kafka_client.send(RESIZES, resize(ref, 21), partition=partition)
    run = run_at(kafka_client, good)
    assert kafka_client.await_record(RESIZED, lambda one: one["run"] == run)["status"] == "finished"
    assert pictures.opened(system.object(system.output(run)["image"]).content).width == 21
    for place, value in zip(bad, values, strict=True):
        letter = kafka_client.await_record("dead.letters", lambda one, place=place: _place(one) == place)  # type: ignore[misc]
        assert letter["value"] == value
        assert letter["consumer"] == "flow"
        assert letter["reason"]
        answer = kafka_client.await_record(RESIZED, lambda one, run=letter["run"]: one["run"] == run)  # type: ignore[misc]
        assert (answer["status"], answer["output"]) == ("failed", None)
        assert answer["failure"]["fault"] == "caller"
        assert answer["problems"], (value, answer)
    problems = [
        kafka_client.await_record(RESIZED, lambda one, run=run: one["run"] == run)["problems"][0]["where"]  # type: ignore[misc]
        for place in (bad[4], bad[5], bad[6])
        for run in [kafka_client.await_record("dead.letters", lambda one, place=place: _place(one) == place)["run"]]  # type: ignore[misc]
    ]
    assert problems == ["image", "image.size", "image"]


def _place(letter: dict[str, Any]) -> Place:
    return Place(letter["topic"], letter["partition"], letter["offset"])


def test_two_equal_records_are_two_runs(system: System, kafka_client: KafkaClient) -> None:
    """The same bytes at two offsets are two requests, each with its own run and its own result."""
    value = resize(kafka_client.upload(pictures.small()), 22)
    runs = {run_at(kafka_client, kafka_client.send(RESIZES, value, key=b"same")) for _ in range(2)}
    assert len(runs) == 2
    for run in runs:
        assert system.output(run)


@pytest.mark.alone
def test_a_record_that_is_delivered_again_is_the_same_run(system: System, kafka_client: KafkaClient) -> None:
    """When flow's offset goes back, as after a crash, the same record is the same run: nothing is said or done anew."""
    ref = kafka_client.upload(pictures.small())
    place = kafka_client.send(RESIZES, resize(ref, 23), partition=1)
    run = run_at(kafka_client, place)
    received = system.follow(run)
    check_order(received)
    before = system.stack.part("flow").restarts
    admin = AdminClient(access(system.settings))
    _end(system, "flow")
    eventually(lambda: _moved(admin, place), 20)
    eventually(lambda: system.stack.part("flow").restarts > before and system.stack.state.ready, 60)
    marker = kafka_client.send(RESIZES, resize(ref, 24), partition=1)
    assert system.output(run_at(kafka_client, marker))
    eventually(lambda: _committed(admin, marker) > marker.offset, 20)  # all up to the marker has been handled again
    assert run_at(kafka_client, place) == run
    assert system.follow(run) == received
    results = [one for one in kafka_client.all_records(RESIZED) if one["run"] == run]
    assert len({json.dumps(one) for one in results}) == 1


def _end(system: System, part: str) -> None:
    pid = system.stack.part(part).pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)


def _moved(admin: AdminClient, place: Place) -> bool:
    """Sets flow's offset to this place; False while the group has members, which is not allowed."""
    wanted = ConsumerGroupTopicPartitions("flow", [TopicPartition(place.topic, place.partition, place.offset)])
    try:
        answer = admin.alter_consumer_group_offsets([wanted])["flow"].result(10)
    except KafkaException:
        return False
    return all(one.error is None for one in answer.topic_partitions)


def _committed(admin: AdminClient, place: Place) -> int:
    asked = ConsumerGroupTopicPartitions("flow", [TopicPartition(place.topic, place.partition)])
    answer = admin.list_consumer_group_offsets([asked])["flow"].result(10)
    return int(answer.topic_partitions[0].offset)


def test_a_forged_envelope_is_ignored(system: System, kafka_client: KafkaClient) -> None:
    """Headers of ours on a stranger's record neither break it nor touch the run that they name."""
    ref = kafka_client.upload(pictures.small())
    victim = run_at(kafka_client, kafka_client.send(RESIZES, resize(ref, 25)))
    received = system.follow(victim)
    envelope = kafka_client.header("task.image-resize.v1", "millrace-envelope", victim)
    for headers in (
        [("millrace-envelope", envelope), ("ce_id", str(uuid.uuid4()).encode()), ("ce_type", b"run.cancelled")],
        [("millrace-envelope", b"\x00\x00\x00\x00\x01 no envelope"), ("content-type", b"application/json")],
        [("millrace-run", victim.encode()), ("traceparent", b"no trace")],
        [("millrace-run", b"\xff\xfe"), ("millrace-due", b"never"), ("millrace-target", b"task.image-blur.v1")],
    ):
        place = kafka_client.send(RESIZES, resize(ref, 26), headers=headers)
        run = run_at(kafka_client, place)
        assert run != victim
        assert pictures.opened(system.object(system.output(run)["image"]).content).width == 26
    assert system.follow(victim) == received
