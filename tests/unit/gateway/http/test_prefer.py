"""What clients prefer."""

import pytest
from starlette.datastructures import Headers

from gateway.api.problems import Problem
from gateway.http import prefer


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("respond-async", None),
        ("wait=10", 10.0),
        ("respond-async, wait=5", 5.0),
        ("return=minimal; foo, Wait = 7", 7.0),
        ('wait="3"', 3.0),
        ("wait=0", 0.0),
        ("wait=999999", 120.0),
        ("await=5", None),
    ],
)
def test_prefer_wait(text: str, seconds: float | None) -> None:
    """`Prefer: wait=N` is found among other preferences and cut to the limit."""
    assert prefer.wait(Headers({"prefer": text}), 120.0) == seconds


@pytest.mark.parametrize("text", ["wait=", "wait=soon", "wait=-1", "wait=1.5", "wait=1e9"])
def test_a_wait_that_is_no_number_is_refused(text: str) -> None:
    """A wait that cannot be understood is said to be so, not passed over."""
    with pytest.raises(Problem):
        prefer.wait(Headers({"prefer": text}), 120.0)


@pytest.mark.parametrize(
    ("accept", "events"),
    [
        ("", False),
        ("*/*", False),
        ("text/event-stream", True),
        ("application/json, text/event-stream", False),
        ("application/json;q=0.5, text/event-stream", True),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=nan", False),
    ],
)
def test_accept(accept: str, events: bool) -> None:
    """An event stream is sent to who prefers it."""
    assert prefer.events(Headers({"accept": accept})) is events


def test_idempotency_keys() -> None:
    """A key is taken as it is; what could be confused with another one is refused."""
    assert prefer.idempotency_key(Headers({})) is None
    assert prefer.idempotency_key(Headers({"idempotency-key": " abc-1 "})) == "abc-1"
    for bad in ("", "a b", "é", "x" * 256):
        with pytest.raises(Problem):
            prefer.idempotency_key(Headers(raw=[(b"idempotency-key", bad.encode("latin-1"))]))
    with pytest.raises(Problem):
        prefer.idempotency_key(Headers(raw=[(b"idempotency-key", b"a"), (b"idempotency-key", b"b")]))
