"""Digit recognition twice: one call a turn, and up to sixteen. Hosted by benchmarks as `tests.benchmarks.readers`."""

import functools

from agents.digits.slot import DIGITS
from agents.services.digit_recognition import Request, Response, digit_recognition
from streams.service.declaration import service

_reader = functools.partial(service, version="1.0.0", memory=2048, slot=DIGITS, preload=digit_recognition.preload)


@_reader("singly")
def singly(request: Request) -> Response:
    """Reads a digit."""
    return digit_recognition(request)


@_reader("batched", batch=16)
def batched(request: Request) -> Response:
    """Reads a digit."""
    return digit_recognition(request)
