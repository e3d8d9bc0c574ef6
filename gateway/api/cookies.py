"""The cookie of a browser's session, among the cookies of other programs on the same host."""

from collections.abc import Iterator

from starlette.datastructures import Headers

_PREFIX = "millrace_"
_PORTS = {"http": "80", "https": "443"}


def name(headers: Headers, scheme: str) -> str:
    """Return the name of the session's cookie at the address that was asked: cookies ignore ports, so the name has the port."""
    port = headers.get("host", "").rpartition(":")[2]
    return _PREFIX + (port if port.isascii() and port.isdigit() and len(port) <= 5 else _PORTS.get(scheme, "80"))


def values(headers: Headers, name: str) -> Iterator[str]:
    """Yield every value under this name; anything else in the header is ignored, also when it is malformed."""
    for header in headers.getlist("cookie"):
        for pair in header.split(";"):
            key, equals, value = pair.partition("=")
            if equals and key.strip() == name:
                yield value.strip()
