"""Apache Kafka: one KRaft node that is broker and controller."""

import base64
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.local import java, process
from infra.local.errors import StartError
from infra.local.part import Part
from infra.local.ports import LOOPBACK, is_free
from infra.local.site import Site

_HEAP_MB = 512
FIXED = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",  # topics come from compiled pipelines only
    "num.partitions": "1",
    # One node: internal topics have nobody to replicate to, and many partitions only make the start slower.
    "offsets.topic.num.partitions": "8",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "2",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A broker that was killed is fenced for a session before it may come back, so a long one delays restarts; one whose heartbeats
    # are late for so long is fenced too, and then nobody leads any partition: with 3 s that happened on a busy machine.
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

_LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
)


def _classpath(site: Site) -> str:
    return os.pathsep.join(str(jar) for jar in sorted(site.parts.kafka.glob("*.jar")))


def _folder(site: Site) -> Path:
    return site.home / "kafka"


_CONFIGURATION = "server.properties"
"""In the folder that the broker works in, as all that it names: Java reads such files as Latin-1, and its lists end at commas."""


def _prepare(site: Site) -> None:
    folder = _folder(site)
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    if not data.exists():
        fresh = folder / "data.new"  # renamed when whole: a start that is killed here leaves nothing half made
        shutil.rmtree(fresh, ignore_errors=True)
        _configure(site, fresh)
        _format(site)
        fresh.rename(data)
    _configure(site, data)


def _configure(site: Site, data: Path) -> None:
    listeners = f"PLAINTEXT://{LOOPBACK}:{site.ports['kafka']},CONTROLLER://{LOOPBACK}:{site.ports['kafka-controller']}"
    properties = {
        **FIXED,
        "listeners": listeners,
        "advertised.listeners": listeners,
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{site.ports['kafka-controller']}",
        "log.dirs": data.name,
    }
    text = "".join(f"{key}={value}\n" for key, value in properties.items())
    (_folder(site) / _CONFIGURATION).write_text(text)


def _format(site: Site) -> None:
    arguments = ("format", "--standalone", "--cluster-id", cluster_id(), "--config", _CONFIGURATION)
    command = java.command(_HEAP_MB, "-cp", _classpath(site), "kafka.tools.StorageTool", *arguments)
    complaint = process.complete(command, home=site.home, folder=_folder(site), environ=java.ENVIRON)
    if complaint is not None:
        raise StartError(f"its log folder in {_folder(site)} cannot be formatted: {complaint}")


def cluster_id() -> str:
    """A fresh id. Kafka's tools take one that begins with a dash, as one in 64 would, for an option."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def _command(site: Site) -> Sequence[str]:
    main = ("-cp", _classpath(site), "kafka.Kafka", _CONFIGURATION)
    return java.command(_HEAP_MB, *site.classes("kafka"), *_LOGGING, *main)


def _ready(site: Site) -> bool:
    """Whether the broker answers and is no longer fenced: only then does its metadata list a broker."""
    port = site.ports["kafka"]
    if is_free(port):  # nothing listens: do not wait for a client's connection time-out
        return False
    client = AdminClient({"bootstrap.servers": f"{LOOPBACK}:{port}", "log_level": 0})
    try:
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False


KAFKA = Part(
    name="kafka",
    ports=("kafka", "kafka-controller"),
    prepare=_prepare,
    command=_command,
    environ=lambda _: java.ENVIRON,
    ready=_ready,
)
