"""Telling a client where to go on where it lost its way."""

import logging
from collections.abc import Callable

from confluent_kafka import KafkaException

from streams.runtime.kafka.reading.assignment import Assignment
from streams.runtime.kafka.reading.batch import BatchBuilder, Report
from streams.runtime.kafka.reading.positions import BEGINNING
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)

AskRange = Callable[[Place], tuple[int, int]]
"""Asks for the first offset of a partition, and for the one that its next record will have. Raises KafkaException."""


def recover(builder: BatchBuilder, assignment: Assignment, ask_range: AskRange, report: Report) -> list[Record]:
    """Correct the positions of the partitions in which the client lost its way, and have it go on from there.

    Returns the records that could not be read; none when the partitions were reassigned meanwhile.
    """
    skipped = list[Record]()
    elsewhere = dict[Place, int]()
    positions = assignment.positions
    for place in {*builder.unreadable, *builder.lost}:
        try:
            low, high = ask_range(place)
        except KafkaException as error:
            report(error.args[0].str(), place)
            continue
        corrected = positions.within(place, low, high)
        if corrected is not None and corrected[0] != BEGINNING:
            log.warning("%s/%d has the offsets %d to %d: going on at %d", *place, low, high, corrected[1])
        if place in builder.unreadable:
            offset = positions.skip(place, low)
            if offset is not None:
                skipped.append(Record(place, offset, None, None, unreadable=builder.unreadable[place]))
        elsewhere[place] = high if positions.now().get(place) != high else low
    assignment.divert(elsewhere)
    if builder.epoch != assignment.epoch:  # reassigned meanwhile, from the committed offsets
        return []
    assignment.assign()
    return skipped
