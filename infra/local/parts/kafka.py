"""Apache Kafka: one KRaft node that is broker and controller, and requires the password of its home."""

import base64
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.local.errors import StartError
from infra.local.home import private
from infra.local.home.ports import LOOPBACK, is_free
from infra.local.installation import java
from infra.local.parts.part import Part
from infra.local.processes import process
from infra.local.stack_context import USER, StackContext

_HEAP_MB = 512
FIXED = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",  # topics come from compiled pipelines only
    "num.partitions": "1",
    # One node: internal topics cannot be replicated, and many partitions only slow the start down.
    "offsets.topic.num.partitions": "8",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "2",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker is fenced for one session timeout, so a long timeout delays restarts; but a broker whose heartbeats are late
    # is fenced too, and no partition has a leader then: with 3 s that happened on a busy machine.
    "broker.session.timeout.ms": "9000",
    "broker.heartbeat.interval.ms": "1000",
    "group.min.session.timeout.ms": "1000",
    "log.retention.hours": "168",
    "log.retention.check.interval.ms": "300000",
    "log.segment.bytes": str(128 << 20),
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
    "log.cleaner.backoff.ms": "5000",
    "num.network.threads": "2",
    "num.io.threads": "4",
}

_CLIENTS, _CONTROLLER = "CLIENTS", "CONTROLLER"
_LOGIN = {
    "listener.security.protocol.map": f"{_CLIENTS}:SASL_PLAINTEXT,{_CONTROLLER}:SASL_PLAINTEXT",
    "inter.broker.listener.name": _CLIENTS,
    "sasl.enabled.mechanisms": "PLAIN",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    # Without it, any process that reaches the controller's port could change topics and the cluster itself.
    "sasl.mechanism.controller.protocol": "PLAIN",
}
_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
)


def _classpath(context: StackContext) -> str:
    return os.pathsep.join(str(jar) for jar in sorted(context.parts.kafka.glob("*.jar")))


def _folder(context: StackContext) -> Path:
    return context.home / "kafka"


_CONFIGURATION = "server.properties"
"""File in the broker's working folder. Paths in it are relative: Java reads the file as Latin-1 and splits lists at commas."""


def _prepare(context: StackContext) -> None:
    folder = _folder(context)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = folder / "data"
    if not data.exists():
        fresh = (
            folder / "data.new"
        )  # renamed when complete, so that a start that is killed here leaves nothing incomplete
        shutil.rmtree(fresh, ignore_errors=True)
        _configure(context, fresh)
        _format(context)
        fresh.rename(data)
    _configure(context, data)


def _configure(context: StackContext, data: Path) -> None:
    ports = {_CLIENTS: context.ports["kafka"], _CONTROLLER: context.ports["kafka-controller"]}
    listeners = ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in ports.items())
    password = context.secrets["kafka"]
    login = f'username="{USER}" password="{password}" user_{USER}="{password}"'
    properties = {
        **FIXED,
        **_LOGIN,
        **{f"listener.name.{name.lower()}.plain.sasl.jaas.config": f"{_MODULE} required {login};" for name in ports},
        "listeners": listeners,
        "advertised.listeners": listeners,
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{context.ports['kafka-controller']}",
        "log.dirs": data.name,
    }
    text = "".join(f"{key}={value}\n" for key, value in properties.items())
    private.write(_folder(context) / _CONFIGURATION, text)


def _format(context: StackContext) -> None:
    arguments = ("format", "--standalone", "--cluster-id", cluster_id(), "--config", _CONFIGURATION)
    command = java.command(_HEAP_MB, "-cp", _classpath(context), "kafka.tools.StorageTool", *arguments)
    complaint = process.complete(command, home=context.home, folder=_folder(context), environ=java.environ())
    if complaint is not None:
        raise StartError(f"its log folder in {_folder(context)} cannot be formatted: {complaint}")


def cluster_id() -> str:
    """Return a new id that does not begin with a dash: Kafka's tools would take it for an option."""
    while True:
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not identity.startswith("-"):
            return identity


def _command(context: StackContext) -> Sequence[str]:
    main = ("-cp", _classpath(context), "kafka.Kafka", _CONFIGURATION)
    return java.command(_HEAP_MB, *context.classes("kafka"), *_LOGGING, *main)


def _ready(context: StackContext) -> bool:
    """Return whether the broker answers and is no longer fenced: only then does its metadata list a broker."""
    port = context.ports["kafka"]
    if is_free(port):  # nothing listens: do not wait for the client's connection timeout
        return False
    client = AdminClient({**context.settings().brokers.confluent(), "log_level": 0})
    try:
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False


KAFKA = Part(
    name="kafka",
    ports=("kafka", "kafka-controller"),
    prepare=_prepare,
    command=_command,
    environ=lambda _: java.environ(),
    ready=_ready,
)
