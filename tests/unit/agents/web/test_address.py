"""Addresses: only what everyone can reach, unless a range is allowed."""

from ipaddress import ip_address, ip_network

import pytest

from agents.web.address import refusal, special


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("0.1.2.3", "this network"),
        ("10.1.2.3", "private"),
        ("100.100.100.200", "shared by a provider"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.169.254", "link-local"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("192.88.99.1", "6to4 relay"),
        ("198.19.0.1", "benchmarking"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "IPv4-mapped"),
        ("::ffff:8.8.8.8", "IPv4-mapped"),
        ("::127.0.0.1", "IPv4-compatible"),
        ("64:ff9b::7f00:1", "NAT64"),
        ("64:ff9b:1::a00:1", "NAT64"),
        ("2001:0:1::1", "reserved, Teredo among it"),
        ("2002:7f00:1::1", "6to4"),
        ("2001:db8::1", "documentation"),
        ("fd00:ec2::254", "private"),
        ("fe80::1", "link-local"),
        ("fe80::1%1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("4000::1", "reserved"),
        ("2606:4700::1%1", "reserved"),
    ],
)
def test_special_addresses_are_refused(address: str, what: str) -> None:
    """What is not public has a name, and is refused for it."""
    assert special(ip_address(address)) == what
    assert refusal(ip_address(address), ()) == what


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    """What everyone can reach may be connected to."""
    assert refusal(ip_address(address), ()) == ""


def test_a_range_allows_what_lies_in_it_and_nothing_else() -> None:
    """With ranges, a public address outside them is refused as well, and one kind of address never stands for the other."""
    ranges = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert refusal(ip_address("10.1.2.3"), ranges) == ""
    assert refusal(ip_address("fd00::1"), ranges) == ""
    assert refusal(ip_address("10.2.0.1"), ranges) == "private"
    assert refusal(ip_address("1.1.1.1"), ranges) == "not in the ranges that are allowed for this host"
    assert refusal(ip_address("::ffff:10.1.2.3"), ranges) == "IPv4-mapped"
    assert refusal(ip_address("fd00::1%1"), ranges) == "of one interface"
