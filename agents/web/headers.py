"""Headers that a call may send, and headers of an answer that are shown."""

import re
from collections.abc import Iterable, Mapping

from streams.service.errors import InvalidInput

MOST = 64
"""Largest number of headers in a request."""
LARGEST = 16 * 1024
"""Largest size of all headers of a request, in bytes."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e]*")

_OURS = "host content-length transfer-encoding connection keep-alive te trailer upgrade expect accept-encoding via forwarded"
OURS = frozenset(_OURS.split())
"""Headers that only the connection may set: with them, one request can be made to look like two."""

ANYWHERE = frozenset({"accept", "accept-language", "content-type", "user-agent", "idempotency-key"})
"""What goes along when a redirect leads to another origin; anything else may be a secret of the first."""

_HIDDEN = frozenset({"set-cookie", "set-cookie2", "www-authenticate", "authentication-info", "proxy-authenticate"})
"""Headers of an answer that grant access, such as cookies: never shown."""


def checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Check headers; return them by lower-case name. Raises InvalidInput naming the header that cannot be sent, never its value."""
    checked_headers: dict[str, str] = {}
    for name, value in headers.items():
        where = f"headers.{name:.60}"
        if not _NAME.fullmatch(name):
            raise InvalidInput("this is not a header name", "letters, digits and dashes", where)
        key = name.lower()
        if key in OURS or key.startswith(("proxy-", "sec-", "http2-")):
            raise InvalidInput(f"the header {key} cannot be set", "the connection sets it: leave it out", where)
        if key in checked_headers:
            raise InvalidInput(f"the header {key} is given twice", "names differ in more than their case", where)
        if not _VALUE.fullmatch(value):
            raise InvalidInput("its value holds a line end, a control character or one that is not ASCII", "", where)
        checked_headers[key] = value.strip(" \t")
    if len(checked_headers) > MOST or sum(len(name) + len(value) for name, value in checked_headers.items()) > LARGEST:
        raise InvalidInput(f"there are more than {MOST} headers, or {LARGEST} bytes of them", where="headers")
    return checked_headers


def shown(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return an answer's headers by lower-case name, those of one name joined, without those that hold credentials."""
    visible: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii", "replace").lower(), raw_value.decode("latin-1")
        if name not in _HIDDEN:
            visible[name] = f"{visible[name]}, {value}" if name in visible else value
    return visible
