"""A service that computes nothing, so that messaging is all the cost."""

from typing import Annotated

from streams.service.contract import Doc, Record
from streams.service.declaration import service


class Number(Record):
    n: Annotated[int, Doc("A number.")]


@service("step-one", version="1.0.0")
def step_one(request: Number) -> Number:
    """N + 1."""
    return Number(n=request.n + 1)
