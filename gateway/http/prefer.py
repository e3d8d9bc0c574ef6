"""What a client prefers: to wait for the result, or to be sent events."""

import re

from starlette.datastructures import Headers

from gateway.api.problems import Kind, Problem

_WAIT = re.compile(r"(?:^|[,;]\s*)wait\s*=\s*\"?([^\s,;\"]*)", re.IGNORECASE)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def wait(headers: Headers, most: float) -> float | None:
    """Seconds that `Prefer: wait=N` (RFC 7240) asks for, at most `most`; None when it is not asked. Raises Problem (400)."""
    found = _WAIT.search(", ".join(headers.getlist("prefer")))
    if found is None:
        return None
    text = found.group(1)
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Problem(
            Kind.BAD_REQUEST, f"Prefer: wait takes a whole number of seconds, such as wait=10; got {text!r:.40}."
        )
    return min(float(text), most)


def events(headers: Headers) -> bool:
    """Whether the client accepts an event stream before anything else."""
    best, chosen = 0.0, ""
    for part in headers.get("accept", "").split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if weight > best:
            best, chosen = weight, kind
    return chosen == "text/event-stream"


def idempotency_key(headers: Headers) -> str | None:
    """The `Idempotency-Key`, if there is one. Raises Problem (400) for one that cannot be taken."""
    keys = headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0].strip()):
        raise Problem(
            Kind.BAD_REQUEST, "Idempotency-Key: expected 1 to 255 visible ASCII characters without spaces, once."
        )
    return keys[0].strip()
