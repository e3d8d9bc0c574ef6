"""The cookie of a browser's session, among those that other programs of the same host have set."""

from collections.abc import Iterator

from starlette.datastructures import Headers

_PREFIX = "millrace_"
_PORTS = {"http": "80", "https": "443"}


def name(headers: Headers, scheme: str) -> str:
    """What the session's cookie is called at the address that was asked: cookies ignore ports, and each stack has its own."""
    port = headers.get("host", "").rpartition(":")[2]
    return _PREFIX + (port if port.isascii() and port.isdigit() and len(port) <= 5 else _PORTS.get(scheme, "80"))


def values(headers: Headers, name: str) -> Iterator[str]:
    """Every value under this name. Whatever else stands in the header, however it is written, is passed over."""
    for header in headers.getlist("cookie"):
        for pair in header.split(";"):
            key, equals, value = pair.partition("=")
            if equals and key.strip() == name:
                yield value.strip()
