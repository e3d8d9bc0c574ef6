"""What is heard of libraries that repeat themselves."""

import logging

from streams.runtime.logs import MAX_REPEATS, WINDOW, RepeatFilter


def said(calm: RepeatFilter, name: str, text: str, *values: object) -> str | None:
    """What is logged of this; None when it is passed over."""
    record = logging.LogRecord(name, logging.ERROR, "", 0, text, values, None)
    return record.getMessage() if calm.filter(record) else None


def test_a_library_that_repeats_itself_is_heard_a_few_times() -> None:
    """Whatever values it puts into its text; and then how often it went on."""
    now = 0.0
    calm = RepeatFilter(lambda: now)
    heard = [said(calm, "aiokafka.conn", "node %s is away", number) for number in range(10)]
    assert [one for one in heard if one] == [f"node {number} is away" for number in range(MAX_REPEATS)]
    now = WINDOW + 1
    assert said(calm, "aiokafka.conn", "node %s is away", 7) == "node 7 is away (and 7 more like it before)"
    assert said(calm, "aiokafka.conn", "node %s is away", 8) == "node 8 is away"


def test_everybody_else_is_heard_always() -> None:
    """What we say ourselves, and what a library says that is something else."""
    calm = RepeatFilter(lambda: 0.0)
    assert all(said(calm, "streams.runtime.worker.worker", "again") for _ in range(10))
    assert all(said(calm, "aiokafka", f"another one: {number}") for number in range(10))
