"""Times as people type them into an address."""

from datetime import datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.api.query_times import QueryTime

MOMENT = TypeAdapter(QueryTime)


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("2026-11-29T17:40:00+02:00", "2026-11-29T17:40:00+02:00"),
        ("2026-11-29T17:40:00 02:00", "2026-11-29T17:40:00+02:00"),
        ("2026-11-29T17:40:00.25 0200", "2026-11-29T17:40:00.250000+02:00"),
        ("2026-11-29 17:40 02:00", "2026-11-29T17:40:00+02:00"),
        ("2026-11-29 17:40", "2026-11-29T17:40:00"),
        ("2026-11-29", "2026-11-29T00:00:00"),
        ("2026-11-29T17:40:00Z", "2026-11-29T17:40:00+00:00"),
        ("2026-11-29T17:40:00-02:00", "2026-11-29T17:40:00-02:00"),
    ],
)
def test_a_time_with_its_zone_is_understood(typed: str, means: str) -> None:
    """Also where the `+` came as a space, which it means in a query."""
    assert MOMENT.validate_python(typed) == datetime.fromisoformat(means)


@pytest.mark.parametrize("typed", ["0.5", "-1", "1764500000", "yesterday", "2026-11-29T17:40:00 x", ""])
def test_a_text_that_is_no_time_is_refused(typed: str) -> None:
    """A bare number least of all: nobody knows what it counts."""
    with pytest.raises(ValidationError):
        MOMENT.validate_python(typed)
