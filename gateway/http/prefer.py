"""Preferences of a client: waiting for the result, receiving events, its idempotency key."""

import re
from collections.abc import Iterable

from starlette.datastructures import Headers

from gateway.api.problems import Kind, Problem

_WAIT = re.compile(r"(?:^|[,;]\s*)wait\s*=\s*\"?([^\s,;\"]*)", re.IGNORECASE)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def wait(headers: Headers, most: float) -> float | None:
    """Return the seconds of `Prefer: wait=N` (RFC 7240), at most `most`; None without it. Raises Problem (400)."""
    match = _WAIT.search(", ".join(headers.getlist("prefer")))
    if match is None:
        return None
    text = match.group(1)
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Problem(
            Kind.BAD_REQUEST, f"Prefer: wait takes a whole number of seconds, such as wait=10; got {text!r:.40}."
        )
    return min(float(text), most)


def events(headers: Headers) -> bool:
    """Return whether the client prefers an event stream to anything else."""
    best, preferred = 0.0, ""
    for part in headers.get("accept", "").split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = _weight(parameters)
        if weight > best:
            best, preferred = weight, kind
    return preferred == "text/event-stream"


def _weight(parameters: Iterable[str]) -> float:
    """Return the weight of a media range (`q=0.5`): 1 when none is given, 0 for an invalid one."""
    weight = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                weight = 0.0
    return weight


def idempotency_key(headers: Headers) -> str | None:
    """Return the `Idempotency-Key`, if there is one. Raises Problem (400) for an invalid one."""
    keys = headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0].strip()):
        raise Problem(
            Kind.BAD_REQUEST, "Idempotency-Key: expected 1 to 255 visible ASCII characters without spaces, once."
        )
    return keys[0].strip()
