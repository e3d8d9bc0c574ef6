"""Talk to the Kafka edge as another system does: librdkafka, Apache Avro and plain HTTP, with no code of Millrace."""

import io
import json
import shutil
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import avro.io
import avro.schema
import boto3
import httpx
from botocore.config import Config
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from streams.settings import Settings
from tests.acceptance.pictures import sha256


@dataclass(frozen=True)
class Place:
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


def access(settings: Settings) -> dict[str, str | int | float | bool]:
    """How librdkafka reaches the broker."""
    return {
        "bootstrap.servers": settings.kafka,
        "security.protocol": settings.kafka_protocol,
        "sasl.mechanism": settings.kafka_mechanism,
        "sasl.username": settings.kafka_user,
        "sasl.password": Path(settings.kafka_password_file).read_text().strip(),
    }


class KafkaClient:
    """Produces requests and reads results."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer({**access(settings), "acks": "all"})
        self._schemas: dict[int, avro.schema.Schema] = {}
        self._logs: dict[str, _Log] = {}
        self._decodings: dict[Any, dict[str, Any] | None] = {}

    def upload(self, data: bytes, media_type: str = "image/png") -> dict[str, Any]:
        """Puts a picture into the bucket; the ref to send."""
        settings = self._settings
        client = boto3.client(
            "s3",
            endpoint_url=settings.s3,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key,
            region_name="us-east-1",
            config=Config(
                signature_version="s3v4",
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        digest = sha256(data)
        key = f"uploads/{uuid.uuid4()}/{digest}"
        client.put_object(Bucket=settings.s3_bucket, Key=key, Body=data, ContentType=media_type)
        return {
            "bucket": settings.s3_bucket,
            "key": key,
            "size": len(data),
            "sha256": digest,
            "media_type": media_type,
        }

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int = -1,
    ) -> Place:
        """Produces a record and waits until the broker has it."""
        placed: list[Place] = []

        def delivered(error: Any, message: Message) -> None:
            assert error is None, error
            placed.append(Place(topic, _number(message.partition()), _number(message.offset())))

        self._producer.produce(topic, value, key=key, headers=list(headers), partition=partition, on_delivery=delivered)
        self._producer.flush(30)
        assert placed, "the broker did not take it"
        return placed[0]

    def pipe(self, topic: str, line: str) -> None:
        """A line from a shell: `echo … | kcat -P -t topic`, where kcat is installed."""
        kcat = shutil.which("kcat") or shutil.which("kafkacat")
        if kcat is None:
            self.send(topic, line.encode())
            return
        subprocess.run(
            [kcat, "-F", str(self._settings.home / "clients" / "kcat.conf"), "-P", "-t", topic],
            input=line,
            text=True,
            check=True,
        )

    def encode(self, topic: str, value: Mapping[str, Any]) -> bytes:
        """A record in Confluent's wire format, with the newest schema that the registry has for the topic."""
        found = self._registry(f"/subjects/{topic}-value/versions/latest")
        out = io.BytesIO()
        avro.io.DatumWriter(avro.schema.parse(found["schema"])).write(value, avro.io.BinaryEncoder(out))
        return struct.pack(">bI", 0, found["id"]) + out.getvalue()

    def decode(self, value: bytes) -> dict[str, Any]:
        """A value in Confluent's wire format, read with the schema that it names."""
        magic, number = struct.unpack(">bI", value[:5])
        assert magic == 0
        if number not in self._schemas:
            self._schemas[number] = avro.schema.parse(self._registry(f"/schemas/ids/{number}")["schema"])
        reader = avro.io.DatumReader(self._schemas[number])
        return cast(dict[str, Any], reader.read(avro.io.BinaryDecoder(io.BytesIO(value[5:]))))

    def await_record(self, topic: str, wanted: Callable[[dict[str, Any]], bool], seconds: float = 60) -> dict[str, Any]:
        """The first record of a topic (from its beginning) whose decoded value is wanted."""
        log, seen = self._log(topic), 0
        deadline = time.monotonic() + seconds
        while True:
            for message in log.messages[seen:]:
                decoded = self._decoded(message)
                if decoded is not None and wanted(decoded):
                    return decoded
            seen = len(log.messages)
            assert time.monotonic() < deadline, f"nothing of the kind came on {topic} within {seconds} s"
            log.poll()

    def all_records(self, topic: str) -> list[dict[str, Any]]:
        """Every record that stands in a topic now, decoded."""
        log = self._log(topic)
        log.read_to_end()
        return [decoded for message in log.messages if (decoded := self._decoded(message)) is not None]

    def header(self, topic: str, name: str, key: str) -> bytes:
        """A header of the first record of a topic whose key begins so."""
        log = self._log(topic)
        log.read_to_end()
        for message in log.messages:
            if bytes(message.key() or b"").startswith(key.encode()):
                return bytes(dict(message.headers() or ())[name])  # type: ignore[arg-type]
        raise AssertionError(f"no record of {topic} has the key {key}")

    def close(self) -> None:
        """Closes what reads."""
        for log in self._logs.values():
            log.close()

    def _log(self, topic: str) -> "_Log":
        if topic not in self._logs:
            self._logs[topic] = _Log(self._settings, topic)
        return self._logs[topic]

    def _decoded(self, message: Message) -> dict[str, Any] | None:
        place = (message.topic(), message.partition(), message.offset())
        if place not in self._decodings:
            value = message.value()
            self._decodings[place] = self.decode(value) if value else None
        return self._decodings[place]

    def _registry(self, path: str) -> Any:
        answer = httpx.get(self._settings.registry + path)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text)


class _Log:
    """A topic being read from its beginning, all partitions, committing nothing."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._consumer = Consumer(
            {
                **access(settings),
                "group.id": f"stranger-{uuid.uuid4()}",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,  # questions about offsets wait behind a fetch that waits
            }
        )
        self._places = [
            TopicPartition(topic, one, 0) for one in self._consumer.list_topics(topic, 15).topics[topic].partitions
        ]
        self._consumer.assign(self._places)
        self._next = dict.fromkeys((place.partition for place in self._places), 0)
        self.messages: list[Message] = []

    def poll(self) -> None:
        """Takes in what there is, waiting a little for the first."""
        message = self._consumer.poll(0.1)
        if message is None:
            return
        for one in (message, *self._consumer.consume(1000, 0.001)):
            assert one.error() is None, one.error()
            self.messages.append(one)
            self._next[_number(one.partition())] = _number(one.offset()) + 1

    def read_to_end(self) -> None:
        """Takes in everything up to where the partitions end now."""
        ends = {}
        for place in self._places:
            low, high = self._consumer.get_watermark_offsets(place, 15)
            ends[place.partition] = high if high > low else 0
        deadline = time.monotonic() + 60
        while any(self._next[partition] < end for partition, end in ends.items()):
            assert time.monotonic() < deadline, (ends, self._next)
            self.poll()

    def close(self) -> None:
        """Ends the reading."""
        self._consumer.close()


def _number(value: int | None) -> int:
    assert value is not None
    return value
