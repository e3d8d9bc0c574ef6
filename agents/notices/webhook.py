"""Post signed messages to the addresses that the operator allows, with the checks of `http-call`."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agents.web.fetch import Call, deliver
from agents.web.limits import Limits
from agents.web.prepare import AGENT
from agents.web.secrets import Misplaced, Secrets
from agents.web.target import Target, parse
from streams.service.errors import InvalidInput, RetryLater
from streams.wire import webhooks


@dataclass(frozen=True)
class Post:
    """One message to one address."""

    identity: str
    """The same at every attempt: receivers use it to recognise duplicates."""
    url: str
    secret: str
    """The operator's name of the signing secret; empty: the message is not signed."""
    body: bytes


def encoded(kind: str, at: str, data: Mapping[str, Any]) -> bytes:
    """Encode a message's body as Standard Webhooks suggests: what happened, when (RFC 3339), and to what."""
    body = {"type": kind, "timestamp": at, "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def checked(url: str, limits: Limits) -> Target:
    """Where a message goes, when it may. Raises InvalidInput."""
    target = parse(url)
    limits.allowed.rule("POST", target)
    return target


async def send(post: Post, limits: Limits, clock: Callable[[], float] = time.time) -> int:
    """Post the message; return the status, 200 to 299. Redirects are not followed.

    Raises InvalidInput for what may not be sent or is no longer accepted (410), and RetryLater for any other answer and for silence: a
    receiver that is set up wrongly today may be right tomorrow.
    """
    target = checked(post.url, limits)
    if len(post.body) > limits.request:
        raise InvalidInput(
            f"the message has {len(post.body):,} bytes, more than the {limits.request:,} allowed", where="data"
        )
    headers = {"user-agent": AGENT, "accept": "*/*", "content-type": "application/json"}
    if post.secret:
        headers |= _signature(post, target, limits, clock())
    answer = await deliver(Call("POST", target, headers, post.body), limits)
    if 200 <= answer.status < 300:
        return answer.status
    where = f"{target.scheme}://{target.netloc}"  # not the path: it may hold the receiver's token
    if answer.status == 410:
        raise InvalidInput(f"{where} answered 410: it no longer accepts this", where="webhook")
    raise RetryLater(f"{where} answered {answer.status}", after=answer.after)


def _signature(post: Post, target: Target, limits: Limits, now: float) -> dict[str, str]:
    try:
        secret = Secrets(limits.folder).get(post.secret)
        if not secret.open_to(target):
            where = f"{target.scheme}://{target.netloc}"
            raise InvalidInput(
                f"the secret {secret.name!r} may not sign for {where}",
                "its origins name the allowed receivers",
                "secret",
            )
        return webhooks.headers(post.identity, now, post.body, secret.value)
    except (Misplaced, webhooks.BadSecret) as error:
        raise RetryLater(str(error), "the operator of this worker sets it right") from None
