"""Define services that take their calls in batches."""

import os
import signal
from collections.abc import Sequence
from typing import Annotated

from streams.service.contract import Doc, Record
from streams.service.declaration import service
from streams.service.errors import InvalidInput


class Number(Record):
    n: Annotated[int, Doc("A number; 13 ends the process, 7 is refused, 5 fails.")]


class Twice(Record):
    n: Annotated[int, Doc("Twice as much.")]
    of: Annotated[int, Doc("How many were taken together.")] = 1


def _twice(request: Number) -> Twice:
    if request.n == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    if request.n == 7:
        raise InvalidInput("seven is not served", where="n")
    if request.n == 5:
        raise ValueError("five fails")
    return Twice(n=2 * request.n)


def _all_twice(requests: list[Number]) -> Sequence[Twice | Exception]:
    if any(one.n == 99 for one in requests) and len(requests) > 1:
        raise ValueError("99 takes no company")
    found: list[Twice | Exception] = []
    for one in requests:
        try:
            found.append(Twice(n=_twice(one).n, of=len(requests)))
        except Exception as error:  # noqa: BLE001  # one that is wrong is told alone
            found.append(error)
    return found[:-1] if any(one.n == 66 for one in requests) and len(requests) > 1 else found


@service("in-turn", version="1.0.0", batch=8)
def in_turn(request: Number) -> Twice:
    """Twice the number, one after another."""
    return _twice(request)


@service("together", version="1.0.0", batch=8, many=_all_twice)
def together(request: Number) -> Twice:
    """Twice the number, all at once."""
    return _twice(request)
