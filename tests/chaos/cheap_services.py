"""Define services that cost nothing but their messages."""

import os
import time
from typing import Annotated

from streams.service.contract import Doc, Record
from streams.service.declaration import service


class Number(Record):
    n: Annotated[int, Doc("A number.")]


class Bumped(Record):
    n: Annotated[int, Doc("One more.")]
    worker: Annotated[int, Doc("The worker that did it: the process that its child was forked from.")]


class Seconds(Record):
    seconds: Annotated[float, Doc("How long.")]


class Text(Record):
    text: Annotated[str, Doc("A text.")]


@service("bump", version="1.0.0")
def bump(request: Number) -> Bumped:
    """N + 1."""
    return Bumped(n=request.n + 1, worker=os.getppid())


@service("rest", version="1.0.0", timeout=60)
def rest(request: Seconds) -> Seconds:
    """Takes its time."""
    time.sleep(request.seconds)
    return request


@service("echo", version="1.0.0")
def echo(request: Text) -> Text:
    """The same text."""
    return request
