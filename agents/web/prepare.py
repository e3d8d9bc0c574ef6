"""Build a call from the inputs of a node."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agents.web import headers as heads
from agents.web.fetch import Call, Sensitive
from agents.web.limits import Limits
from agents.web.secrets import Misplaced, Secrets
from agents.web.target import parse
from streams.service.errors import InvalidInput, RetryLater

AGENT = "millrace"
_BODILESS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Use:
    """A secret in the value of a header: its name, and the text around it."""

    name: str
    before: str = ""
    after: str = ""


def prepared(
    method: str,
    url: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: Any,
    secrets: Mapping[str, Use],
    answers: Iterable[int],
    limits: Limits,
    key: str,
) -> Call:
    """Build the call. Raises InvalidInput, and RetryLater if a secret's file cannot be used."""
    target = parse(url, dict(query))
    sent = {"user-agent": AGENT, "accept": "application/json, text/*;q=0.9, image/*;q=0.8", **heads.checked(headers)}
    data = _encoded(method, body, sent, limits.request)
    if method not in _BODILESS:
        sent.setdefault("idempotency-key", key)
    # Check the target before any secret is read.
    limits.allowed.rule(method, target)
    return Call(method, target, sent, data, _sensitive(secrets, sent, limits), frozenset(answers))


def _encoded(method: str, body: Any, headers: dict[str, str], most: int) -> bytes | None:
    if body is None:
        return None
    if method in _BODILESS:
        raise InvalidInput(f"{method} takes no body", "leave it out, or say `method: POST`", "body")
    text = isinstance(body, str)
    data = (body if text else json.dumps(body, ensure_ascii=False, separators=(",", ":"))).encode()
    if len(data) > most:
        raise InvalidInput(f"the body has {len(data):,} bytes, more than the {most:,} allowed", where="body")
    headers.setdefault("content-type", "text/plain; charset=utf-8" if text else "application/json")
    return data


def _sensitive(uses: Mapping[str, Use], headers: Mapping[str, str], limits: Limits) -> dict[str, Sensitive]:
    kept = Secrets(limits.folder)
    sensitive = {}
    for header, use in uses.items():
        (name,) = heads.checked({header: use.before + use.after})
        if name in headers:
            raise InvalidInput(f"the header {name} is given twice, once with a secret", where=f"secrets.{name}")
        try:
            sensitive[name] = Sensitive(kept.get(use.name), use.before, use.after)
        except Misplaced as error:
            raise RetryLater(str(error), "the operator of the http-call worker sets it right") from None
    return sensitive
