"""Services for random pipelines: what they give and whether they fail depends on their input and the attempt alone."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.contracts import Contract
from streams.messages import Fault
from streams.testing.driver import ServiceFailed

Input = Mapping[str, Any]


def _work(record: Input) -> dict[str, Any]:
    value = (record["x"] * 3 + record["y"] + 1) % 50
    return {"v": value, "items": list(range(value % 4))}


def calc(record: Input, attempt: int) -> dict[str, Any]:
    """Never fails."""
    return _work(record)


def picky(record: Input, attempt: int) -> dict[str, Any]:
    """Refuses every third input, for good."""
    if record["x"] % 3 == 0:
        raise ServiceFailed(f"does not take {record['x']}", Fault.CALLER)
    return _work(record)


def flaky(record: Input, attempt: int) -> dict[str, Any]:
    """Fails no time, once or twice, then succeeds."""
    if attempt <= record["x"] % 3:
        raise ServiceFailed("not now")
    return _work(record)


def broken(record: Input, attempt: int) -> dict[str, Any]:
    """Always fails."""
    raise ServiceFailed("out of order")


SERVICES: Mapping[str, Callable[[Input, int], dict[str, Any]]] = {
    "calc": calc,
    "picky": picky,
    "flaky": flaky,
    "broken": broken,
    "bounded": calc,
}


def _contract(name: str, **bounds: int) -> Contract:
    x = {"name": "x", "type": "long", **bounds}
    y = {"name": "y", "type": "long", "default": 7}
    items = {"type": "array", "items": "long"}
    return Contract(
        name=name,
        version="1.0.0",
        summary=name,
        description=name,
        input={"type": "record", "namespace": "test", "name": f"{name}_in", "fields": [x, y]},
        output={
            "type": "record",
            "namespace": "test",
            "name": "Out",
            "fields": [{"name": "v", "type": "long"}, {"name": "items", "type": items}],
        },
    )


CONTRACTS: Mapping[str, Contract] = {
    **{name: _contract(name) for name in SERVICES},
    "bounded": _contract("bounded", minimum=0, maximum=30),
}
