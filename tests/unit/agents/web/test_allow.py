"""The list of who may be called: nobody, unless a line says so."""

import pytest

from agents.web.allow import AllowList
from agents.web.target import parse
from streams.service.errors import InvalidInput
from streams.settings import SettingError

LIST = AllowList.read(
    """https://api.example.com, GET|POST https://*.shop.example,
    * http://billing.intern:8080 at 10.1.0.0/16|fd00::/8
    POST https://any.example:*
    http://127.0.0.1:81 at 127.0.0.0/8"""
)


def allowed(method: str, url: str, rules: AllowList = LIST) -> bool:
    """Whether this call is."""
    try:
        rules.rule(method, parse(url))
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://api.example.com/x"),
        ("HEAD", "https://API.EXAMPLE.COM:443/"),
        ("POST", "https://eu.shop.example/"),
        ("GET", "https://a.b.shop.example/"),
        ("DELETE", "http://billing.intern:8080/bills/1"),
        ("POST", "https://any.example:4711/"),
        ("GET", "http://127.0.0.1:81/"),
    ],
)
def test_a_request_that_a_line_names_is_allowed(method: str, url: str) -> None:
    """Method, scheme, host and port must all be those of a line."""
    assert allowed(method, url)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", "https://api.example.com/x"),
        ("GET", "http://api.example.com/x"),
        ("GET", "https://api.example.com:8443/x"),
        ("GET", "https://api.example.com.evil.example/"),
        ("GET", "https://evilapi.example.com/"),
        ("GET", "https://shop.example/"),
        ("GET", "https://evilshop.example/"),
        ("PUT", "https://eu.shop.example/"),
        ("GET", "http://billing.intern/"),
        ("GET", "http://127.0.0.1/"),
        ("GET", "http://[::1]:81/"),
    ],
)
def test_a_request_that_no_line_names_is_refused(method: str, url: str) -> None:
    """Nothing near a line is allowed."""
    assert not allowed(method, url)


def test_nothing_is_allowed_by_default() -> None:
    """Without a line, nobody may be called."""
    with pytest.raises(InvalidInput) as caught:
        AllowList.read("").rule("GET", parse("https://example.com/"))
    assert "MILLRACE_HTTP_ALLOW" in caught.value.hint


def test_every_name_is_not_every_address() -> None:
    """`*` stands for names only, and the most exact line decides about the ranges."""
    rules = AllowList.read("https://*, https://*.intern at 10.0.0.0/8, https://db.intern at 10.9.0.0/16")
    assert allowed("GET", "https://example.com/", rules)
    assert not allowed("GET", "https://93.184.216.34/", rules)
    assert not allowed("GET", "https://[2606:4700::1111]/", rules)
    ranges = {
        host: str(*rules.rule("GET", parse(f"https://{host}/")).ranges)
        for host in ("db.intern", "x.intern", "x.example")
    }
    assert ranges == {"db.intern": "10.9.0.0/16", "x.intern": "10.0.0.0/8", "x.example": ""}


@pytest.mark.parametrize(
    "line",
    [
        "example.com",
        "ftp://example.com",
        "https://example.com/path",
        "https://user@example.com",
        "TRACE https://example.com",
        "get https://example.com",
        "https://example.com:port",
        "https://2130706433",
        "https://exa mple.com",
        "https://a.*.example.com",
        "https://example.com at",
        "https://example.com at 10.0.0.1/8",
        "https://example.com at everywhere",
        "https://example.com in 10.0.0.0/8",
    ],
)
def test_a_line_that_cannot_be_read_is_told(line: str) -> None:
    """A mistake in the list is never read as something else; the message names the setting and the line."""
    with pytest.raises(SettingError) as caught:
        AllowList.read(f"https://good.example,{line}")
    assert "MILLRACE_HTTP_ALLOW" in str(caught.value)
    assert line.split()[0] in str(caught.value)
