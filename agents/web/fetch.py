"""One call: checked, sent, redirected within bounds, and its answer read within limits, without the secrets it was sent."""

import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import httpcore

from agents.web import headers as heads
from agents.web.content import Body, Picture
from agents.web.dial import Dialler, Resolve, lookup
from agents.web.limits import Limits
from agents.web.redact import Redactor
from agents.web.secrets import Secret
from agents.web.target import Target
from streams.service.errors import InvalidInput, RetryLater

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({408, 425, 429})
"""Statuses below 500 that mean: try again later."""
_SHOWN = 200


@dataclass(frozen=True)
class Sensitive:
    """A header whose value holds a secret: `before`, the secret, `after`."""

    secret: Secret
    before: str
    after: str

    @property
    def value(self) -> str:
        """The whole value of the header."""
        return f"{self.before}{self.secret.value}{self.after}"


@dataclass(frozen=True)
class Call:
    """A request. `headers` are checked already, `sensitive` is by header name."""

    method: str
    target: Target
    headers: Mapping[str, str]
    body: bytes | None = None
    sensitive: Mapping[str, Sensitive] = field(default_factory=dict, repr=False)
    answers: frozenset[int] = frozenset()
    """Statuses besides 200 to 299 that count as an answer."""


@dataclass(frozen=True)
class Answer:
    """The answer, parsed and without secrets."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """JSON, text, a Picture or None."""


@dataclass(frozen=True)
class _Received:
    status: int
    headers: Mapping[str, str]
    body: Body | None = None
    data: bytes = b""

    @property
    def said(self) -> str:
        """The beginning of its body, for error messages."""
        return self.body.said(self.data) if self.body else ""


async def fetch(call: Call, limits: Limits, resolve: Resolve = lookup) -> Answer:
    """Make a call. Raises InvalidInput for what must not be sent or read, and RetryLater for temporary failures."""
    redactor = Redactor(sensitive.secret.value for sensitive in call.sensitive.values())
    try:
        for _ in range(limits.redirects + 1):
            received = await _send(call, limits, resolve)
            location = received.headers.get("location")
            if received.status not in _REDIRECTS or location is None or _wanted(call, received.status):
                return _judged(call, received, limits, redactor)
            call = _redirected(call, received.status, location)
    except InvalidInput as refused:
        raise InvalidInput(redactor.text(refused.reason), refused.hint, refused.where) from None
    except RetryLater as later:
        raise RetryLater(redactor.text(later.reason), later.hint, later.after) from None
    raise InvalidInput(f"{call.target} is the end of more than {limits.redirects} redirects", where="url")


@dataclass(frozen=True)
class Taken:
    """A receiver's answer to a delivery; its body is not read."""

    status: int
    after: float
    """Seconds of its `Retry-After`; 0 without one."""


async def deliver(call: Call, limits: Limits, resolve: Resolve = lookup) -> Taken:
    """Send, and read only the status; redirects are not followed. Raises InvalidInput and RetryLater.

    What is raised does not name the path, which may hold the receiver's token.
    """
    try:
        received = await _send(call, limits, resolve, reads=False)
    except (InvalidInput, RetryLater) as error:
        error.args = tuple(_without_path(call.target, arg) for arg in error.args)
        error.reason = _without_path(call.target, error.reason)
        raise
    return Taken(received.status, min(_retry_after(received.headers), limits.retry_after))


def _without_path(target: Target, text: Any) -> Any:
    return text.replace(str(target), f"{target.scheme}://{target.netloc}") if isinstance(text, str) else text


async def _send(call: Call, limits: Limits, resolve: Resolve, *, reads: bool = True) -> _Received:
    """Send one request and read its answer; `reads` is False when the body of the answer does not matter.

    Nothing is sent where it is not allowed. Raises InvalidInput and RetryLater.
    """
    rule = limits.allowed.rule(call.method, call.target)
    for sensitive in call.sensitive.values():
        if not sensitive.secret.open_to(call.target):
            where = f"{call.target.scheme}://{call.target.netloc}"
            raise InvalidInput(
                f"the secret {sensitive.secret.name!r} may not be sent to {where}",
                "its origins name where it may",
                "secrets",
            )
    # A separate pool for each request, so that runs share no connections.
    pool = httpcore.AsyncConnectionPool(
        ssl_context=_tls(limits.ca), max_connections=1, network_backend=Dialler(rule.ranges, resolve)
    )
    with _failures(call.target):
        async with pool:
            return await _exchange(pool, call, limits, reads=reads)


def _request(call: Call, limits: Limits) -> httpcore.Request:
    headers = {"host": call.target.netloc, **call.headers, "accept-encoding": "gzip, deflate"}
    headers |= {name: sensitive.value for name, sensitive in call.sensitive.items()}
    if call.body is not None or call.method not in ("GET", "HEAD", "DELETE"):
        headers["content-length"] = str(len(call.body or b""))
    timeouts = {"connect": limits.connect, "read": limits.silence, "write": limits.silence, "pool": limits.connect}
    return httpcore.Request(
        call.method,
        httpcore.URL(
            scheme=call.target.scheme.encode(),
            host=call.target.host.encode(),
            port=call.target.port,
            target=call.target.target.encode(),
        ),
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        content=call.body,
        extensions={"timeout": timeouts},
    )


async def _exchange(pool: httpcore.AsyncConnectionPool, call: Call, limits: Limits, *, reads: bool) -> _Received:
    response = await pool.handle_async_request(_request(call, limits))
    try:
        if not reads:
            return _Received(response.status, heads.shown(response.headers))
        return await _receive(response, limits, _wanted(call, response.status))
    finally:
        await response.aclose()


@contextmanager
def _failures(target: Target) -> Iterator[None]:
    """Turn failures of a connection into RetryLater, naming the target."""
    try:
        yield
    except httpcore.TimeoutException as error:
        what = "connected to" if isinstance(error, httpcore.ConnectTimeout) else "heard of"
        raise RetryLater(f"{target} was not {what} in time") from None
    except httpcore.ConnectError as error:
        raise RetryLater(f"{target} cannot be connected to: {_tls_problem(error) or 'it does not answer'}") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        # The exception's text is left out: it may quote a header.
        raise RetryLater(f"the connection to {target} broke ({type(error).__name__})") from None


async def _receive(response: httpcore.Response, limits: Limits, wanted: bool) -> _Received:
    shown = heads.shown(response.headers)
    try:
        body = Body(shown, limits.answer)
        async for chunk in response.aiter_stream():
            body.feed(chunk)
        return _Received(response.status, shown, body, body.end())
    except InvalidInput:
        if wanted:
            raise
        # For a failure or a redirect only the status counts, even if the body is invalid.
        return _Received(response.status, shown)


def _redirected(call: Call, status: int, location: str) -> Call:
    """Return the call to follow a redirect, by the rules of RFC 9110 as browsers apply them. Raises InvalidInput."""
    target = call.target.redirected(location)
    if call.target.scheme == "https" and target.scheme == "http":
        raise InvalidInput(f"{call.target} redirects to {target}, which is not encrypted", where="url")
    redirected = replace(call, target=target)
    if target.origin != call.target.origin:
        kept = {name: value for name, value in call.headers.items() if name in heads.ANYWHERE}
        redirected = replace(redirected, headers=kept, sensitive={})
    if (status == 303 and call.method != "HEAD") or (status in (301, 302) and call.method == "POST"):
        headers = {
            name: value for name, value in redirected.headers.items() if name not in ("content-type", "idempotency-key")
        }
        redirected = replace(redirected, method="GET", headers=headers, body=None)
    return redirected


def _wanted(call: Call, status: int) -> bool:
    return 200 <= status < 300 or status in call.answers


def _judged(call: Call, received: _Received, limits: Limits, redactor: Redactor) -> Answer:
    status = received.status
    if received.body is None or not _wanted(call, status):
        excerpt = redactor.text(received.said)[:_SHOWN]
        reason = f"{call.method} {call.target} answered {status}" + (f": {excerpt}" if excerpt else "")
        if status < 500 and status not in _AGAIN:
            raise InvalidInput(reason, "if this status is an answer, name it in `answers:`")
        raise RetryLater(reason, after=min(_retry_after(received.headers), limits.retry_after))
    body = received.body.read(received.data) if call.method != "HEAD" else None
    if isinstance(body, Picture):
        if redactor.inside(received.data):
            raise InvalidInput("the picture holds the secret that was sent for it")
    else:
        body = redactor.value(body)
    return Answer(status, {redactor.text(name): redactor.text(value) for name, value in received.headers.items()}, body)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of `Retry-After`; 0 if it is missing or invalid."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


@lru_cache(maxsize=2)
def _tls(ca: str) -> ssl.SSLContext:
    """Return the TLS context, cached because reading the authorities takes longer than most calls."""
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cafile=ca)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _tls_problem(error: Exception) -> str:
    match = re.search(r"certificate verify failed: ([^(]+)", str(error))
    return f"its certificate is not trusted: {match[1].strip()}" if match else ""
