"""Run HTTP servers on loopback that answer with a function of the test and keep the requests they receive."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme


@dataclass(frozen=True)
class ReceivedRequest:
    """One request, its headers by lower-case name."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class ResponseWriter:
    """The answer being written: `say` a head, then `write` pieces."""

    handler: BaseHTTPRequestHandler

    def send_head(self, status: int, *headers: tuple[str, str]) -> None:
        """The status line and the headers."""
        self.handler.send_response(status)
        for name, value in headers:
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def write(self, data: bytes) -> bool:
        """A piece of the body; whether there is still somebody who reads."""
        try:
            self.handler.wfile.write(data)
            self.handler.wfile.flush()
        except OSError:
            return False
        return True

    def send(self, status: int, data: bytes, kind: str = "application/json", *headers: tuple[str, str]) -> None:
        """A whole answer."""
        self.send_head(status, ("content-type", kind), ("content-length", str(len(data))), *headers)
        self.write(data)

    def redirect(self, location: str, status: int = 302) -> None:
        """A redirect."""
        self.send(status, b"", "text/plain", ("location", location))


Answerer = Callable[[ReceivedRequest, ResponseWriter], None]


@dataclass
class HttpServer:
    """A server, where it listens, and what it heard."""

    host: str
    port: int
    secure: bool
    requests: list[ReceivedRequest] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """What was asked for."""
        return [one.path for one in self.requests]

    def url(self, path: str = "/", host: str = "") -> str:
        """The address of a path, by another name if wanted."""
        return f"{'https' if self.secure else 'http'}://{host or self.host}:{self.port}{path}"


@contextlib.contextmanager
def server(
    answer: Answerer, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[HttpServer]:
    """A server for as long as this lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def serve(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            heard = ReceivedRequest(self.command, self.path, headers, self.rfile.read(length))
            made.requests.append(heard)
            self.close_connection = True
            answer(heard, ResponseWriter(self))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815  # as http.server calls them

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that does not trust this server, or goes away

    listening = Server((host, port), Handler)
    if tls is not None:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
    made = HttpServer(host, listening.server_address[1], tls is not None)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        listening.shutdown()
        listening.server_close()


def certificate(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """What a server needs to be known by these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context
