"""Publishing on a log in memory."""

import uuid
from pathlib import Path

from streams.messages import Event, EventKind, Run
from streams.runtime.connections.publish import Publisher
from streams.runtime.kafka.partitioner import partition_of
from streams.wire import topics
from tests.unit.gateway.memory.gateway import memory_gateway


def test_events_of_several_runs_are_each_in_the_partition_of_its_run(tmp_path: Path) -> None:
    """Whether flow or their workers begin and end them; those of a run keep their order."""
    runs = [Run(str(uuid.uuid4()), "greet", "d" * 64, 2e9, straight=number % 3 > 0) for number in range(30)]
    kinds = (EventKind.ACCEPTED, EventKind.WAITING)
    with memory_gateway(tmp_path) as gateway:
        publisher = Publisher(gateway.connections, lambda *_: "")
        gateway.call(publisher.publish_events, [Event(run, kind) for run in runs for kind in kinds])
        records = gateway.sent(topics.EVENTS)
    assert len(records) == 2 * len(runs)
    for run in runs:
        mine = [record for record in records if record.key == run.id.encode()]
        assert [record.header("ce_type") for record in mine] == [kind.encode() for kind in kinds]
        assert {record.place.partition for record in mine} == {partition_of(run.id, gateway.log.partitions)}
