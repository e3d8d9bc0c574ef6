"""Which addresses are out there for everyone. Literal tables; what is in none of them is a stranger's own network."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network

from agents.web.target import Address

Network = IPv4Network | IPv6Network


def _table(lines: str) -> tuple[tuple[Network, str], ...]:
    return tuple(
        (ip_network(network), what) for network, what in (line.split(maxsplit=1) for line in lines.splitlines())
    )


SPECIAL = _table(
    """0.0.0.0/8 this network
10.0.0.0/8 private
100.64.0.0/10 shared by a provider
127.0.0.0/8 loopback
169.254.0.0/16 link-local
172.16.0.0/12 private
192.0.0.0/24 reserved
192.0.2.0/24 documentation
192.31.196.0/24 reserved
192.52.193.0/24 reserved
192.88.99.0/24 6to4 relay
192.168.0.0/16 private
192.175.48.0/24 reserved
198.18.0.0/15 benchmarking
198.51.100.0/24 documentation
203.0.113.0/24 documentation
224.0.0.0/4 multicast
240.0.0.0/4 reserved
::/128 unspecified
::1/128 loopback
::ffff:0:0/96 IPv4-mapped
::/96 IPv4-compatible
64:ff9b::/96 NAT64
64:ff9b:1::/48 NAT64
100::/64 discard
2001::/23 reserved, Teredo among it
2001:db8::/32 documentation
2002::/16 6to4
2620:4f:8000::/48 reserved
3fff::/20 documentation
5f00::/16 segment routing
fc00::/7 private
fe80::/10 link-local
fec0::/10 site-local
ff00::/8 multicast"""
)
"""What IANA's registries of special addresses hold, and how addresses of one kind are written in the other."""

_UNICAST = IPv6Network("2000::/3")
"""The only part of IPv6 that is given out."""


def special(address: Address) -> str:
    """Why an address is not one that everyone can reach; empty when it is."""
    for network, what in SPECIAL:
        if address.version == network.version and address in network:
            return what
    if isinstance(address, IPv6Address) and (address.scope_id or address not in _UNICAST):
        return "reserved"
    return ""


def refusal(address: Address, ranges: Sequence[Network]) -> str:
    """Why an address may not be connected to; empty when it may.

    With ranges, only what lies in one of them may; without, only what everyone can reach.
    """
    if not ranges:
        return special(address)
    if isinstance(address, IPv6Address) and address.scope_id:
        return "of one interface"
    inside = any(address.version == network.version and address in network for network in ranges)
    return "" if inside else special(address) or "not in the ranges that are allowed for this host"
