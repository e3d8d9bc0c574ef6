"""Orders a total through Kafka and prints it: a client of its own, with confluent-kafka and its schema registry client.

python order.py ORDER CENTS PIECES [DISCOUNT]     (KAFKA_CONF is a file of librdkafka's properties, REGISTRY an address)
"""

import json
import os
import sys
import time
import uuid
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

PIPELINE = "order-total"
REQUESTS, RESULTS = f"pipeline.{PIPELINE}.requests", f"pipeline.{PIPELINE}.results"
PATIENCE = 60.0


def main(order: str, cents: str, pieces: str, discount: str = "0") -> int:
    """Send the order and wait for its result."""
    kafka = properties(os.environ["KAFKA_CONF"])
    registry = SchemaRegistryClient({"url": os.environ["REGISTRY"]})
    consumer = Consumer({**kafka, "group.id": f"order-{uuid.uuid4()}", "enable.auto.commit": False})
    partitions = consumer.list_topics(RESULTS, 15).topics[RESULTS].partitions
    # From where they end now: the result comes after the order.
    ends = [(one, consumer.get_watermark_offsets(TopicPartition(RESULTS, one), 15)[1]) for one in partitions]
    consumer.assign([TopicPartition(RESULTS, one, end) for one, end in ends])

    latest = registry.get_latest_version(f"{REQUESTS}-value")
    serialize = AvroSerializer(
        registry, latest.schema, conf={"auto.register.schemas": False, "use.latest.version": True}
    )
    value = {"order": order, "cents": int(cents), "pieces": int(pieces), "discount": int(discount)}
    run = str(uuid.uuid4())
    producer = Producer(kafka)
    producer.produce(
        REQUESTS,
        key=run,
        value=serialize(value, SerializationContext(REQUESTS, MessageField.VALUE)),
        headers={"millrace-run": run},
    )
    producer.flush(30)

    deserialize = AvroDeserializer(registry)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        if message.key() == run.encode():
            print(json.dumps(deserialize(message.value(), SerializationContext(RESULTS, MessageField.VALUE))))
            consumer.close()
            return 0
    print(f"no result of run {run} came within {PATIENCE:g} s", file=sys.stderr)
    return 1


def properties(file: str) -> dict[str, str | int | float | bool]:
    """Lines of `key=value`, as kcat takes them too."""
    lines = (line.partition("=") for line in Path(file).read_text().splitlines())
    return {key: value for key, _, value in lines}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
