"""The floor: a bare aiokafka loop that copies one topic to another, as a process of its own.

python -m tests.benchmarks.bare ACCESS FROM TO     (how aiokafka reaches the broker, as JSON)
"""

import json
import sys

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def main(access: str, source: str, target: str) -> None:
    """Copies until it is killed."""
    broker = json.loads(access)
    consumer = AIOKafkaConsumer(source, **broker, group_id=f"{source}.bare", auto_offset_reset="earliest")
    producer = AIOKafkaProducer(**broker, acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    sys.stdout.write("up\n")
    sys.stdout.flush()
    async for record in consumer:
        await producer.send_and_wait(target, record.value, key=record.key)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:4]))
