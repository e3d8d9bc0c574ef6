"""The target of a call: a URL parsed strictly, so that later code cannot interpret it differently."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote, urlencode, urljoin

from streams.service.errors import InvalidInput

Address = IPv4Address | IPv6Address

PORTS = {"http": 80, "https": 443}
LONGEST = 8000
"""Largest number of characters in a URL."""

_PARTS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.IGNORECASE | re.DOTALL,
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
# What a path or query may hold as it is; all else is percent-encoded. `%` too: what is encoded already stays so.
_AS_IT_IS = "/:@!$&'()*+,;=-._~?%"


@dataclass(frozen=True)
class Target:
    """A URL that can be called. `host` is a name in lower case, or an address as `ipaddress` writes it."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, percent-encoded, for the request line."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port, which secrets are bound to."""
        return self.scheme, self.host, self.port

    @property
    def address(self) -> Address | None:
        """The host as an address; None if it is a name."""
        return _address(self.host)

    @property
    def netloc(self) -> str:
        """Host and port for the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """Return the URL without its query, which messages must not contain."""
        return f"{self.scheme}://{self.netloc}{self.target.partition('?')[0]}"[:200]

    def redirected(self, location: str) -> "Target":
        """Resolve a redirect. Raises InvalidInput."""
        return parse(urljoin(f"{self.scheme}://{self.netloc}{self.target}", location))


def parse(url: str, query: dict[str, str] | None = None) -> Target:
    """Parse a URL and add parameters to its query. Raises InvalidInput, naming `url`."""
    if len(url) > LONGEST:
        raise InvalidInput(f"the URL has {len(url)} characters, more than {LONGEST}", where="url")
    if _CONTROL.search(url):
        raise InvalidInput(
            "the URL holds a space, a control character or a backslash",
            "put values into `query:`, which encodes them",
            "url",
        )
    match = _PARTS.fullmatch(url)
    if match is None:
        authority = url.partition("://")[2].partition("/")[0]
        hint = "no user and password: a secret goes into a header" if "@" in authority else "such as https://host/path"
        raise InvalidInput("this is not a URL that can be called", hint, "url")
    scheme = match["scheme"].lower()
    port = int(match["port"]) if match["port"] else PORTS[scheme]
    if not 0 < port < 65536:
        raise InvalidInput(f"there is no port {port}", where="url")
    path = quote(match["path"] or "/", safe=_AS_IT_IS)
    parts = [quote(match["query"], safe=_AS_IT_IS)] if match["query"] else []
    parts += [urlencode(query)] if query else []
    target = "?".join((path, "&".join(parts))) if parts else path
    if len(target) > LONGEST:
        raise InvalidInput(f"path and query have more than {LONGEST} characters", where="url")
    return Target(scheme, _host(match["host"].lower()), port, target)


def _host(text: str) -> str:
    if text.startswith("["):
        address = _address(text[1:-1])
        if address is None:
            raise InvalidInput(f"{text} is not an address", where="url")
        return str(address)
    labels = text.split(".")
    # Some programs read 127.1, 0x7f000001, 0177.0.0.1 and 2130706433 as addresses, each in its own way: they are refused here.
    if _NUMBER.fullmatch(labels[-1]) or (labels[-1] == "" and len(labels) > 1 and _NUMBER.fullmatch(labels[-2])):
        address = _address(text)
        if address is None:
            raise InvalidInput(f"{text} is not an address", "four decimal numbers, or a name", "url")
        return str(address)
    if len(text) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidInput(
            f"{text:.80} is not a host", "a name of ASCII letters, digits and dashes (xn--… for others)", "url"
        )
    return text


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
