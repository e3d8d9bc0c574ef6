"""Nothing of a run is lost in Avro: every message and row passes the real codec on its way."""

from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.flow.state_rows import Row
from streams.testing.driver import STORM
from streams.testing.round_trip import Coder
from streams.wire import codec
from tests.property.effort import effort
from tests.property.harness import Watched, agrees, check_ending, compiled, endings
from tests.property.pipelines import Case, Shape, cases


class Exact(Coder):
    """A coder that gives back what it was given."""

    def __call__(self, message: Any) -> Any:
        """The message as its reader has it."""
        again = super().__call__(message)
        assert again == message
        return again

    def row(self, row: Row) -> Row:
        """A row as its reader has it."""
        again = super().row(row)
        assert again == row
        return again


@dataclass
class Coded(Watched):
    """A driver whose log goes through the codec too."""

    coder: Exact | None = None

    def write(self, row: Row) -> None:
        """Write a row as its reader will have it."""
        assert self.coder is not None
        super().write(self.coder.row(row))


@pytest.mark.parametrize("limit", [codec.LIMIT, 40], ids=["inside", "spilled"])
@effort
@given(case=cases(Shape(any_of=True)), seed=st.integers(0, 2**16))
def test_a_run_is_the_same_through_the_codec(limit: int, case: Case, seed: int) -> None:
    """Every message and row is read as it was written, also when it is too large for a record and lies in S3."""
    topology = compiled(case)
    coder = Exact(topology)
    driver = Coded(topology, weather=STORM, seed=seed, compare_rows=True, coder=coder, through=coder)
    with patch.object(codec, "LIMIT", limit):
        seen = driver.run(case.input)
    check_ending(driver, races=True)
    assert any(agrees(seen, ending) for ending in endings(case))
    assert bool(coder.blobs.objects) == (limit == 40)
