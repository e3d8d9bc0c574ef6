"""The local API key: Bearer for programs, a signed cookie for a browser.

A browser's link carries the key once (`/?key=…`); the answer is a redirect without it and a cookie that scripts cannot
read, that other sites do not get sent, and that is not the key. With the cookie alone, a call that changes something
must come from a page of this very origin.
"""

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api import cookies
from gateway.api.problems import Kind, Problem
from streams.settings import SettingError

SESSION = 12 * 3600
"""Seconds that a session of a browser lasts."""
OPEN = ("/health/live", "/health/ready")
"""Paths that are served without the key."""
LOGIN = "/session"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def read_key(home: Path, patience: float = 2.0) -> str:
    """Return the key of `<home>/api-key`, creating it where it is missing, readable by its owner only. Raises SettingError.

    `patience`: seconds to wait for another process that is just creating it.
    """
    path = home / "api-key"
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _existing(path, patience)
    except OSError as error:
        raise SettingError(f"MILLRACE_HOME: the API key cannot be kept in {path}: {error}") from error
    key = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
    return key


def _existing(path: Path, patience: float) -> str:
    deadline = time.monotonic() + patience
    while True:  # another process may have created the file and not yet written the key
        try:
            key = path.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise SettingError(f"{path}: the API key cannot be read: {error}") from error
        if len(key) >= 16:
            return key
        if time.monotonic() > deadline:
            raise SettingError(f"{path}: the API key is too short ({len(key)} characters); remove the file")
        time.sleep(0.01)


@dataclass(frozen=True)
class Authenticator:
    """Checks the key, and signs sessions with it, so that every gateway with the same key accepts them."""

    key: str
    clock: Callable[[], float] = time.time
    name: str = "local"
    """The name under which actions of the key's holder are recorded."""
    _ended: set[str] = field(default_factory=set)
    """Sessions that were ended before they expired."""

    @property
    def owner(self) -> str:
        """A name of the key's holder that does not reveal the key; idempotency keys belong to it."""
        return hashlib.sha256(b"millrace owner\0" + self.key.encode()).hexdigest()[:16]

    def knows(self, key: str) -> bool:
        """Return whether this is the key, in a time that does not depend on it."""
        return hmac.compare_digest(_digest(key), _digest(self.key))

    def session(self) -> str:
        """Return the cookie value of a new session."""
        ticket = f"{int(self.clock()) + SESSION}-{secrets.token_hex(8)}"
        return f"{ticket}.{self._sign(ticket)}"

    def holds(self, session: str) -> bool:
        """Return whether a cookie's value is a session of ours that has not ended."""
        ticket, _, signature = session.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(ticket).encode()):
            return False
        return ticket not in self._ended and _expiry(ticket) > self.clock()

    def end(self, session: str) -> None:
        """End a session on this gateway; others with the same key still accept it."""
        if self.holds(session):
            ticket = session.partition(".")[0]
            for expired in [ended for ended in self._ended if _expiry(ended) <= self.clock()]:
                self._ended.discard(expired)
            self._ended.add(ticket)

    def _sign(self, ticket: str) -> str:
        return hmac.new(self.key.encode(), b"millrace session\0" + ticket.encode(), hashlib.sha256).hexdigest()


def _expiry(ticket: str) -> int:
    """Return the epoch seconds at which a ticket of ours expires; 0 for what is not one."""
    digits = ticket.partition("-")[0]
    return int(digits) if digits.isdigit() else 0


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


class RequireKey:
    """Lets only requests pass that carry the key, or a session."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self.app = app
        self.authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as ASGI defines it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await (self._refuse(scope) or self.app)(scope, receive, send)

    def _refuse(self, scope: Scope) -> Response | None:
        """Return the answer to a request that may not pass; None for one that may."""
        path, method = scope["path"], scope["method"]
        if path in OPEN or (path == LOGIN and method == "POST"):
            return None
        headers = Headers(scope=scope)
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.authenticator.knows(key.strip()):
            return None
        if method == "GET" and b"key=" in scope["query_string"]:
            exchanged = self._exchange(scope)
            if exchanged is not None:
                return exchanged
        own = cookies.name(headers, scope["scheme"])
        if not any(self.authenticator.holds(session) for session in cookies.values(headers, own)):
            return _no_key(headers)
        if method in _SAFE or _same_origin(headers, scope["scheme"]):
            return None
        return Problem(
            Kind.FORBIDDEN, "A browser's session may change things only from a page of this address; use the key."
        ).response()

    def _exchange(self, scope: Scope) -> Response | None:
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(name == "key" and self.authenticator.knows(value) for name, value in pairs):
            return None
        rest = urlencode([(name, value) for name, value in pairs if name != "key"])
        # One slash only: `//host` would lead to another host.
        place = "/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else "")
        return sign_in_response(self.authenticator, place, scope)


def sign_in_response(authenticator: Authenticator, place: str, scope: Scope) -> Response:
    """Redirect to `place`, with a new session at the address that was asked."""
    answer = RedirectResponse(place, 303)
    name, secure = cookies.name(Headers(scope=scope), scope["scheme"]), scope["scheme"] == "https"
    answer.set_cookie(
        name, authenticator.session(), max_age=SESSION, path="/", httponly=True, samesite="strict", secure=secure
    )
    return answer


def sign_out_response(authenticator: Authenticator, scope: Scope) -> Response:
    """End the session that came with the request, and answer without content."""
    headers = Headers(scope=scope)
    name = cookies.name(headers, scope["scheme"])
    for session in cookies.values(headers, name):
        authenticator.end(session)
    answer = Response(status_code=204)
    answer.delete_cookie(name, path="/", httponly=True, samesite="strict")
    return answer


def _same_origin(headers: Headers, scheme: str) -> bool:
    origin = headers.get("origin")
    if origin is not None:
        return origin == f"{scheme}://{headers.get('host', '')}"
    return headers.get("sec-fetch-site") == "same-origin"


def _no_key(headers: Headers) -> Response:
    if "text/html" in headers.get("accept", ""):
        return HTMLResponse(_PAGE, 401, {"WWW-Authenticate": 'Bearer realm="millrace"'})
    reason = "The key that was sent is not valid." if "authorization" in headers else "No key was sent."
    return Problem(
        Kind.NO_KEY,
        f"{reason} Send `Authorization: Bearer <key>`; the local key is in .millrace/api-key.",
        headers={"WWW-Authenticate": 'Bearer realm="millrace"'},
    ).response()


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Millrace: sign in</title>
<body><h1>Millrace</h1><p>The key is in <code>.millrace/api-key</code>, and <code>make run</code> prints a link with it.</p>
<form method="post" action="/session"><label>API key <input type="password" name="key" autocomplete="off" autofocus></label>
<button>Sign in</button></form></body></html>
"""
