"""Who may be called: the operator's list, read strictly. Without a line that says so, nobody may.

A line is `[METHODS ]SCHEME://HOST[:PORT][ at RANGES]`; lines are parted by commas or line ends. METHODS are `GET` (when left
out: GET and HEAD), `GET|POST`, or `*`. HOST is a name, an address, `*.example.com` for every name below it, or `*` for every
name. PORT is a number or `*`; left out, the scheme's own. RANGES (`10.1.0.0/16|fd00::/8`) are the only addresses that the host
may lead to; without them it may lead to any address that is public, and to no other.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_network

from agents.web.address import Network
from agents.web.target import PORTS, Target, parse
from streams.service.errors import InvalidInput
from streams.settings import SettingError

SETTING = "MILLRACE_HTTP_ALLOW"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_READING = frozenset({"GET", "HEAD"})

_LINE = re.compile(
    r"(?:(?P<methods>[A-Z|*]+)\s+)?(?P<scheme>https?)://(?P<host>\[[^\]]+\]|[^\s/:@]+)(?::(?P<port>[0-9]+|\*))?"
    r"(?:\s+at\s+(?P<ranges>\S+))?"
)
_EXAMPLE = "write [GET|POST ]https://host[:port][ at 10.0.0.0/8]"


@dataclass(frozen=True)
class Rule:
    """One line. `host` is a name or address, `.example.com` for every name below, or empty for every name."""

    methods: frozenset[str]
    scheme: str
    host: str
    port: int | None
    ranges: tuple[Network, ...]

    def fits(self, method: str, target: Target) -> bool:
        """Return whether this line allows this call."""
        return (
            method in self.methods
            and target.scheme == self.scheme
            and self.port in (None, target.port)
            and self._names(target)
        )

    def _names(self, target: Target) -> bool:
        if target.host == self.host:
            return True
        # A pattern of names never matches an address: addresses must be listed themselves.
        return target.address is None and (not self.host or (self.host[0] == "." and target.host.endswith(self.host)))


@dataclass(frozen=True)
class AllowList:
    """All lines, the most specific first."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def read(cls, text: str) -> "AllowList":
        """Parse the list of a setting. Raises SettingError naming the line."""
        lines = [line.strip() for line in re.split(r"[,\n]", text) if line.strip()]
        rules = [_rule(line) for line in lines]
        return cls(tuple(sorted(rules, key=lambda rule: (not rule.host, rule.host.startswith("."), -len(rule.host)))))

    def rule(self, method: str, target: Target) -> Rule:
        """Return the line that allows this call. Raises InvalidInput."""
        fitting = next((rule for rule in self.rules if rule.fits(method, target)), None)
        if fitting is None:
            where = f"{method} {target.scheme}://{target.netloc}"
            raise InvalidInput(f"{where} may not be called from here", f"{SETTING} says what may", "url")
        return fitting


def _rule(line: str) -> Rule:
    match = _LINE.fullmatch(line)
    if match is None:
        raise SettingError(f"{SETTING}: {line!r} cannot be read; {_EXAMPLE}")
    scheme, port = match["scheme"], match["port"]
    return Rule(
        methods=_methods(line, match["methods"]),
        scheme=scheme,
        host=_host(line, match["host"].lower()),
        port=None if port == "*" else int(port or PORTS[scheme]),
        ranges=_ranges(line, match["ranges"]),
    )


def _methods(line: str, text: str | None) -> frozenset[str]:
    if text is None:
        return _READING
    wanted = frozenset(METHODS if text == "*" else text.split("|"))
    if not wanted <= set(METHODS):
        raise SettingError(f"{SETTING}: {line!r}: the methods are {', '.join(METHODS)}, or *")
    return wanted


def _host(line: str, text: str) -> str:
    pattern = text.startswith("*.")
    if text == "*":
        return ""
    try:
        host = parse(f"http://{text[2:] if pattern else text}/").host
    except InvalidInput as refused:
        raise SettingError(f"{SETTING}: {line!r}: {refused.reason}") from None
    return f".{host}" if pattern else host


def _ranges(line: str, text: str | None) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(network) for network in text.split("|")) if text else ()
    except ValueError as error:
        raise SettingError(f"{SETTING}: {line!r}: {error}") from None
