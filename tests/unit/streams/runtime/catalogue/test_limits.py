"""What an operator allows, and when a run was asked for."""

import time
from dataclasses import replace

import msgspec
import pytest

from streams.runtime.catalogue.limits import OverLimit, check
from streams.runtime.flow.requests import _accepted_at
from streams.settings import Settings
from streams.wire.records import Place, Record
from tests.unit.streams.compiling import pipeline


def test_a_pipeline_may_allow_its_runs_what_the_operator_does() -> None:
    """Not more; and it says what to do."""
    settings = replace(Settings(), executions=50_000)
    topology = pipeline('limit: 50000\noutput: {r: "${n}"}')
    assert topology.executions == 50_000
    check(topology, settings)
    with pytest.raises(OverLimit, match=r"limit: 50,001 is more than the 50,000 .*MILLRACE_EXECUTIONS"):
        check(msgspec.structs.replace(topology, limit=50_001), settings)


def test_a_pipeline_without_a_limit_is_what_it_was() -> None:
    """Its digest is older than the word: what was published stays as it is."""
    assert b"limit" not in pipeline('output: {r: "${n}"}').to_json()


def test_the_time_of_a_run_does_not_restart() -> None:
    """The record's time counts; for a foreign request only if it leaves the run some time."""
    now = time.time()

    def record(ago: float) -> Record:
        return Record(Place("pipeline.p.requests", 0), 1, None, None, timestamp=now - ago)

    assert _accepted_at(record(50), 60, from_gateway=False) == now - 50
    assert _accepted_at(record(500), 60, from_gateway=True) == now - 500
    assert _accepted_at(record(500), 60, from_gateway=False) >= now
    assert now <= _accepted_at(record(-500), 60, from_gateway=True) < now + 60
