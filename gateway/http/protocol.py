"""HTTP/1.1 on one connection: uvicorn's protocol, with limits on everything that comes before the application is called.

The application gets requests whose head is complete, in time and within its size. Offers of another protocol (`Upgrade`) are
ignored, as RFC 9110 (7.8) allows: the request is answered as if they were not there.
"""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import httptools
from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.api.limits import Limits
from gateway.api.problems import Kind, Problem
from gateway.api.refusal_log import RefusalLog
from gateway.http.connection_limits import ConnectionLimits
from gateway.http.response_headers import DEFAULTS

_PIPELINED = 100
"""Requests that may wait on one connection for earlier answers."""
_FRAMING = 16
"""Bytes of framing for each byte of a chunked body, at most, beside those of a head: a chunk of one byte takes six."""


class Refused(Exception):
    """Raised when a request is not processed any further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class BoundedProtocol(HttpToolsProtocol):
    """One connection, within the limits of the gateway."""

    def __init__(self, *, limits: Limits, connections: ConnectionLimits, refusals: RefusalLog, **more: Any) -> None:
        """`more`: the arguments of uvicorn."""
        super().__init__(**more)
        self._limits = limits
        self._connections = connections
        self._refusals = refusals
        self.timeout_keep_alive = limits.head  # type: ignore[assignment]  # a number of seconds like any other
        self._in_head = False
        self._begun = False
        """Whether a request has begun in the bytes being read."""
        self._head = 0
        """Bytes of its head that were parsed."""
        self._raw = 0
        """Bytes of its head, or around its body, in later reads than the one in which it began."""
        self._body = 0
        self._ignoring = False
        """Whether further bytes are ignored."""
        self._unread: Any = None
        """The timer of a client that does not read its answer."""

    def connection_made(self, transport: Any) -> None:
        """Admit a client that has connected, or refuse it."""
        super().connection_made(transport)
        why = self._connections.enter(self, self.client[0] if self.client else "")
        if why:
            self._refuse(Problem(Kind.BUSY, f"{why}, and that is the limit; come back.", headers={"Retry-After": "5"}))
        else:
            self.timeout_keep_alive_task = self.loop.call_later(self._limits.head, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the connection was closed, by either side."""
        self._connections.leave(self)
        self._unset_keepalive_if_required()
        self._forget_unread()
        super().connection_lost(exc)

    def give_way(self) -> None:
        """Close, to make room for a new connection."""
        self._ignoring = True
        self._refusals.note("a connection without a request, for a new one")
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse bytes that have arrived."""
        if self._ignoring:
            return
        self._begun, body = False, self._body
        try:
            while (rest := self._feed(data)) is not None:
                data = rest
            if not self._begun:
                self._raw += len(data) - (self._body - body)
                self._check()
        except Refused as error:
            self._refuse(error.problem)
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, Refused):
                self._refuse(cause.problem)
            else:
                self._refuse(Problem(Kind.BAD_REQUEST, f"This is not HTTP/1.1: {error}."))

    def _feed(self, data: bytes) -> bytes | None:
        """Parse bytes. Returns those still to be parsed after the head of a request whose upgrade is ignored, else None."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            head = self._plain_head()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parser.feed_data(head)
            return rest
        return None

    def _plain_head(self) -> bytes:
        """Return the head of this request without the offer of another protocol. Raises Refused."""
        if self.parser.get_method() == b"CONNECT":
            raise Refused(Problem(Kind.METHOD, "CONNECT is not offered: this is not a proxy."))
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                offered = (b"upgrade", b"http2-settings")
                value = b",".join(option for option in value.split(b",") if option.strip().lower() not in offered)
            if name not in (b"upgrade", b"http2-settings"):
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = self._begun = True
        self._head = self._raw = self._body = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address. Raises Refused."""
        self._head += len(url)
        self._check()
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one after the body (a trailer) is ignored. Raises Refused."""
        if self._in_head:
            self._head += len(name) + len(value) + 4
            self._check()
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request when its head is complete. Raises Refused."""
        if self.parser.should_upgrade():
            return
        if len(self.pipeline) >= _PIPELINED:
            raise Refused(Problem(Kind.BAD_REQUEST, f"More than {_PIPELINED} requests at once on one connection."))
        self._in_head, self._raw = False, 0
        self._unset_keepalive_if_required()
        self._connections.busy(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Continue after a complete answer."""
        super().on_response_complete()
        if not self.pipeline:
            self._connections.waits(self)

    def timeout_keep_alive_handler(self) -> None:
        """Close when no complete head has come in time; a request that had begun gets a 408."""
        if self._in_head and not self.transport.is_closing():
            self._refuse(Problem(Kind.SLOW, f"The headers did not arrive within {self._limits.head:g} s."))
        super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        """Start a timer when the client reads more slowly than the answer is written."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._limits.stall, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer when the client has read most of it."""
        self._forget_unread()
        super().resume_writing()

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if cycle.scope["http_version"] == "1.0":
            super()._start_asgi_task(cycle, _until_closed(cycle, app))
        else:
            super()._start_asgi_task(cycle, app)

    def _check(self) -> None:
        """Raise Refused when there is too much; bytes that the parser has not reported yet are in `_raw`."""
        most = self._limits.headers
        if self._in_head and max(self._head, self._raw) > most:
            raise Refused(Problem(Kind.HEADERS, f"The address and the headers have more than {most} bytes."))
        if not self._in_head and self._raw > most + _FRAMING * self._body:
            raise Refused(Problem(Kind.BAD_REQUEST, "The body has more around its chunks than in them."))

    def _refuse(self, problem: Problem) -> None:
        """Answer with a problem, and close after the answers in progress."""
        self._ignoring = True
        self._refusals.note(problem.detail)
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._write(problem)
        elif not cycle.more_body:  # the requests before this one are still answered
            cycle.keep_alive = False
            return
        elif not (cycle.response_started or self.pipeline):
            self._write(problem)
            cycle.disconnected = True  # for the application, which waits for the body
            cycle.message_event.set()
        self.transport.close()

    def _write(self, problem: Problem) -> None:
        answer = problem.response()
        headers: Iterable[tuple[bytes, bytes]] = (
            *self.server_state.default_headers,
            *((name.lower().encode(), value.encode()) for name, value in DEFAULTS.items()),
            *answer.raw_headers,
            (b"connection", b"close"),
        )
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[answer.status_code] + lines + b"\r\n" + bytes(answer.body))


def _until_closed(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """Wrap the application for HTTP/1.0, which has no chunks: a body of unknown length ends with the connection."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        endless = False

        async def plainly(message: ASGISendEvent) -> None:
            nonlocal endless
            if message["type"] == "http.response.start":
                endless = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
                if endless:
                    cycle.chunked_encoding, cycle.expected_content_length = False, sys.maxsize
            elif endless and message["type"] == "http.response.body" and not message.get("more_body", False):
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, plainly)

    return serve


def bounded(limits: Limits) -> Callable[..., BoundedProtocol]:
    """Return the factory of one server's connections."""
    return partial(BoundedProtocol, limits=limits, connections=ConnectionLimits(limits), refusals=RefusalLog())
