"""Kafka as clusters have it: encrypted, with users, and with just the rights that `millrace compile --strimzi` writes."""

import asyncio
import dataclasses
import io
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
import yaml
from aiokafka.errors import KafkaError
from confluent_kafka import Producer
from PIL import Image

from streams.cli.pipelines.offline import contracts
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.publish import DUE, TARGET
from streams.runtime.kafka.topic_follower import TopicFollower
from streams.settings import Settings
from streams.wire.records import Outgoing, Place
from tests.integration.support.eventually import eventually
from tests.integration.support.model_registry import TABLES
from tests.integration.support.secure import (
    SecureBroker,
    Used,
    as_kafka_says,
    client_certificate,
    free_ports,
    secure_broker,
)

ROOT = Path(__file__).parents[3]

GREY = """
pipeline: small-grey
summary: A small grey picture
input: {photo: image}
nodes:
  grey: {service: image-greyscale, with: {image: "${photo}"}}
  small: {service: image-resize, with: {image: "${grey.image}", width: 8}}
output: {small: "${small.image}"}
"""
LATE = """
pipeline: late-grey
summary: A picture that nobody can make in time
input: {photo: image}
nodes:
  grey: {service: image-greyscale, with: {image: "${photo}"}, timeout: 1ms, retry: {attempts: 2, backoff: 1s}}
output: {grey: "${grey.image}"}
"""
LONG = """
pipeline: long-grey
summary: A picture over and over again
limit: 30000
input: {photo: image}
nodes:
  round:
    repeat: {image: "${photo}"}
    nodes:
      grey: {service: image-greyscale, with: {image: "${image}"}}
    next: {image: "${grey.image}"}
    max: 10000
    output: "${grey.image}"
output: {image: "${round}"}
"""
_SERVICE = re.compile(rf"({'|'.join(contracts())})$")
_OWNER = re.compile(r"(pipeline|task|retry)\.[\w-]*")
WORKERS = ("flow", "retry", "recorder", "models", "image-greyscale", "image-resize", "digit-recognition")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """A broker with TLS, users and rights."""
    with secure_broker(tmp_path_factory.mktemp("broker")) as secure:
        yield secure


def known(settings: Settings, broker: SecureBroker, user: str, password: Path) -> Settings:
    """The settings of a user with a password."""
    return dataclasses.replace(
        settings,
        kafka=broker.passwords,
        kafka_protocol="SASL_SSL",
        kafka_mechanism="SCRAM-SHA-512",
        kafka_ca=str(broker.ca),
        kafka_user=user,
        kafka_password_file=str(password),
    )


def rules(topic: str) -> list[dict[str, Any]]:
    """Everything with one topic."""
    resource = {"type": "topic", "name": topic, "patternType": "literal"}
    return [{"resource": resource, "operations": ["Read", "Write"], "host": "*"}]


async def talk(settings: Settings, topic: str) -> list[bytes | None]:
    """Sends a record to a topic of one partition and reads it, with every client that there is."""
    received: list[bytes | None] = []

    async def hear(record: Any) -> None:
        received.append(record.value)

    async with Connections.of(settings) as connections:
        assert topic in await connections.admin.names()
        await connections.producer.send(Outgoing(topic, b"key", b"value"))
        place = Place(topic, 0)
        end = (await connections.offsets.ends([place]))[place]
        tail = TopicFollower(settings.brokers, topic, hear)
        await tail.start()
        await tail.stop()
        assert [record.value for record in await connections.offsets.read(place, 0, end)] == received
    return received


def topic_of(name: str) -> dict[str, Any]:
    """A topic of one partition."""
    return {"metadata": {"name": name}, "spec": {"partitions": 1, "replicas": 1, "config": {}}}


def test_a_user_with_a_password(settings: Settings, broker: SecureBroker) -> None:
    """Every client connects with SASL over TLS; a wrong password, another authority and no password do not."""
    broker.make([topic_of("with-password")])
    right = known(settings, broker, "ada", broker.admit("ada", rules("with-password")))
    assert asyncio.run(talk(right, "with-password")) == [b"value"]
    wrong = broker.folder / "wrong.password"
    wrong.write_text("another")
    for bad in (
        dataclasses.replace(right, kafka_password_file=str(wrong)),
        dataclasses.replace(right, kafka_ca=""),
        dataclasses.replace(settings, kafka=broker.passwords, kafka_protocol="PLAINTEXT"),
    ):
        with pytest.raises(KafkaError):
            asyncio.run(talk(bad, "with-password"))


def test_a_user_with_a_certificate(settings: Settings, broker: SecureBroker) -> None:
    """Every client connects with a certificate of its own; the broker refuses clients without one."""
    broker.make([topic_of("with-certificate")])
    certificate, key = client_certificate(broker, "bob")
    broker.admit("bob", rules("with-certificate"), principal="CN=bob")
    right = dataclasses.replace(
        settings,
        kafka=broker.certificates,
        kafka_protocol="SSL",
        kafka_ca=str(broker.ca),
        kafka_certificate=str(certificate),
        kafka_key=str(key),
    )
    assert asyncio.run(talk(right, "with-certificate")) == [b"value"]
    with pytest.raises(KafkaError):
        asyncio.run(talk(dataclasses.replace(right, kafka_certificate="", kafka_key=""), "with-certificate"))


def picture() -> bytes:
    """A picture that takes longer than a millisecond."""
    out = io.BytesIO()
    Image.effect_noise((900, 700), 80).convert("RGB").save(out, "PNG")
    return out.getvalue()


@contextmanager
def running(command: list[str], settings: Settings, log: Path) -> Iterator[Path]:
    """A process of ours, as one user, until this ends; its log."""
    with log.open("wb") as out:
        environ = {**os.environ, **settings.environ()}
        process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environ, stdout=out, stderr=out)
    try:
        yield log
    finally:
        process.kill()
        process.wait()


def cli(settings: Settings, *arguments: str) -> str:
    """What the command line prints."""
    command = [sys.executable, "-m", "streams.cli", *arguments]
    result = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings.environ()}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


_TAKEN_OVER = re.compile(r"state of partition \d+: [1-9]\d* rows")


@pytest.mark.slow
@pytest.mark.timeout(400)  # seven processes start
def test_the_rights_that_are_written_are_enough_and_no_more(
    settings: Settings, broker: SecureBroker, tmp_path: Path
) -> None:
    """With each part as its own user and only its KafkaUser's rights, runs finish, fail, retry and are cancelled; nothing
    that a part asks for is denied, and it uses every right that it has.
    """
    prefix = f"a{uuid.uuid4().hex[:6]}-"
    (port,) = free_ports(1)
    here = dataclasses.replace(settings, home=tmp_path, topic_prefix=prefix, partitions=2, workers=1, http_port=port)
    files = []
    for name, text in (("small-grey", GREY), ("late-grey", LATE), ("long-grey", LONG)):
        files.append(str(tmp_path / f"{name}.yaml"))
        Path(files[-1]).write_text(text)
    written = cli(here, "compile", *files, "--strimzi", "--authentication", "scram-sha-512")
    resources = list(yaml.safe_load_all(written))
    broker.make(resource for resource in resources if resource["kind"] == "KafkaTopic")
    users = {
        resource["metadata"]["name"].removeprefix(prefix): resource
        for resource in resources
        if resource["kind"] == "KafkaUser"
    }
    own = {}
    for name in (*WORKERS, "gateway", "apply"):
        rights = users[name]["spec"]["authorization"]["acls"]
        own[name] = known(here, broker, prefix + name, broker.admit(prefix + name, rights))
    before = broker.used()
    cli(own["apply"], "apply", *files)
    with ExitStack() as stack:
        own["models"] = dataclasses.replace(own["models"], mlflow=stack.enter_context(champion(settings)))
        logs = {
            name: stack.enter_context(running(["agents", name], own[name], tmp_path / f"{name}.log"))
            for name in WORKERS
        }
        stack.enter_context(running(["gateway"], own["gateway"], tmp_path / "gateway.log"))
        for log in logs.values():
            eventually(lambda log=log: "agents: ready" in log.read_text(), 90)  # type: ignore[misc]
        eventually(lambda: "image-resize is to be served by" in logs["models"].read_text(), 60)
        key = tmp_path / "api-key"
        eventually(key.exists, 60)
        headers = {"authorization": f"Bearer {key.read_text().strip()}"}
        http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60))
        eventually(lambda: http.get("/health/ready").status_code == 200, 60)
        _exercise(http, broker, prefix)
        # Another flow takes partitions over, and reads what stands there of runs.
        second = stack.enter_context(running(["agents", "flow"], own["flow"], tmp_path / "flow-2.log"))
        flows = (logs["flow"], second)
        eventually(lambda: any(_TAKEN_OVER.search(log.read_text()) for log in flows), 60)
    asked = {use for use in broker.used() - before if use.user.startswith(prefix)}
    assert sorted(map(str, (use for use in asked if not use.allowed))) == []
    assert _unused(users, asked, prefix) == [
        "gateway: Describe group flow",  # it looks there when flow is behind
        "service: Write topic catalog.pipelines",  # one that is newer than what was applied publishes its own pipeline
    ]


CHAMPION = """
insert into registered_models (name) values ('image-resize');
insert into model_versions (name, version) values ('image-resize', 1);
insert into model_version_tags (name, version, key, value) values ('image-resize', 1, 'millrace.version', '0123456789ab');
insert into registered_model_aliases (name, alias, version) values ('image-resize', 'champion', 1);
"""


@contextmanager
def champion(settings: Settings) -> Iterator[str]:
    """A registry of models in which one slot has a champion."""
    name = f"t{uuid.uuid4().hex[:10]}"
    with psycopg.connect(settings.postgres, autocommit=True) as connection:
        connection.execute(f"create schema {name}".encode())
        try:
            connection.execute(f"set search_path to {name}".encode())
            connection.execute(TABLES.encode())
            connection.execute(CHAMPION.encode())
            yield f"{settings.postgres}?options={quote(f'-csearch_path={name}')}"
        finally:
            connection.execute(f"drop schema {name} cascade".encode())


def _exercise(http: httpx.Client, broker: SecureBroker, prefix: str) -> None:
    """Everything that makes a part do something with Kafka."""
    files = {"photo": ("a.png", picture(), "image/png")}

    def status(name: str, wanted: str) -> str:
        run: str = http.post(f"/pipelines/{name}/runs", files=files).json()["id"]
        eventually(lambda: http.get(f"/runs/{run}").json()["status"] == wanted, 60)
        return run

    done = status("small-grey", "finished")
    assert http.post(f"/runs/{done}/replay", json={}).status_code == 202
    late = status("late-grey", "failed")
    long = status("long-grey", "running")
    queued = http.post("/pipelines/to-jpg/runs", files=files).json()["id"]  # whose service has no worker
    for run in (done, late, long, queued):
        answer = http.get(f"/runs/{run}/explain")
        assert answer.status_code == 200, answer.text
    eventually(
        lambda: any(reason.get("lag") == 1 for reason in http.get(f"/runs/{queued}/explain").json()["waits"]), 60
    )
    assert http.delete(f"/runs/{long}").status_code in (202, 204)
    eventually(lambda: http.get(f"/runs/{long}").json()["status"] == "cancelled", 60)
    foreign_producer = Producer({"bootstrap.servers": broker.inside})
    for topic in ("pipeline.small-grey.requests", "run.events", "retry.1s"):
        foreign_producer.produce(prefix + topic, b"garbage")
    # Due later than its tier waits: it goes through the tier again, and then to a service.
    due = (DUE, f"{time.time() + 6:.3f}".encode()), (TARGET, f"{prefix}task.image-greyscale.v1".encode())
    foreign_producer.produce(f"{prefix}retry.1s", b"garbage", headers=list(due))
    foreign_producer.flush(20)
    writers = {prefix + name for name in ("flow", "image-greyscale", "recorder", "retry")}
    eventually(lambda: writers <= _writers(broker, f"{prefix}dead.letters"), 60)
    eventually(lambda: len(http.get("/dead-letters").json()["dead_letters"]) == 5, 60)
    for letter in http.get("/dead-letters").json()["dead_letters"]:
        http.post(f"/dead-letters/{letter['id']}/resend")


def _writers(broker: SecureBroker, topic: str) -> set[str]:
    return {use.user for use in broker.used() if use.operation == "WRITE" and use.name == topic}


def _unused(users: dict[str, Any], asked: set[Used], prefix: str) -> list[str]:
    """Rights that were given and not used."""
    seen = {(_role(use.user, prefix), use.operation, use.kind.lower(), _kind_of(use.name)) for use in asked}

    def used(role: str, operation: str, resource: dict[str, str]) -> bool:
        kind, name = resource["type"], _kind_of(resource["name"])
        names = [entry[3] for entry in seen if entry[:3] == (role, as_kafka_says(operation), kind)]
        return any(
            used_name.startswith(resource["name"]) if resource["patternType"] == "prefix" else used_name == name
            for used_name in names
        )

    unused = {
        f"{_role(name)}: {operation} {rule['resource']['type']} {_kind_of(rule['resource']['name']).removeprefix(prefix)}"
        for name in (*WORKERS, "gateway", "apply")
        for rule in users[name]["spec"]["authorization"]["acls"]
        for operation in rule["operations"]
        if not used(_role(name), operation, rule["resource"])
    }
    return sorted(unused)


def _role(user: str, prefix: str = "") -> str:
    """What a user is: every service has rights of the same kinds."""
    name = user.removeprefix(prefix)
    return "service" if name.startswith(("image-", "digit-")) else name


def _kind_of(name: str) -> str:
    """The name of a topic or group without whose it is: so has each pipeline, service and retry tier."""
    return _SERVICE.sub("service", _OWNER.sub(r"\1.*", name))
