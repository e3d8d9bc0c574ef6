"""URLs: read strictly, so that what was checked is what is called."""

import pytest

from agents.web.target import LONGEST, parse
from streams.service.errors import InvalidInput


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://api.example.com", "api.example.com", 443, "/"),
        ("HTTP://API.Example.COM:8080/A/b?x=1#part", "api.example.com", 8080, "/A/b?x=1"),
        ("http://127.0.0.1/", "127.0.0.1", 80, "/"),
        ("https://a.example#@127.0.0.1/", "a.example", 443, "/"),
        ("http://[::1]:81/x", "::1", 81, "/x"),
        ("http://[0:0:0:0:0:ffff:7f00:1]/", "::ffff:7f00:1", 80, "/"),
        ("https://xn--bcher-kva.example/%C3%A4", "xn--bcher-kva.example", 443, "/%C3%A4"),
        ("https://a.example/ä/{x}|", "a.example", 443, "/%C3%A4/%7Bx%7D%7C"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, target: str) -> None:
    """Scheme and host are lower case, the port is the scheme's own when left out, the fragment stays here."""
    parsed = parse(url)
    assert (parsed.host, parsed.port, parsed.target) == (host, port, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/x",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "unix:///run/docker.sock",
        "https://",
        "https:///x",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://allowed.example@127.0.0.1/",
        "https://allowed.example\\@127.0.0.1/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:x/",
        "https://example.com /",
        "https://example.com/a b",
        "https://example.com/\r\nhost: other",
        "https://example.com/\0",
        "https://exa\tmple.com/",
        "https://bücher.example/",
        "https://。127.0.0.1/",
        "https://example..com/",
        "https://example.com./",
        "https://-a.example/",
        "https://[::1/",
        "https://[::1%25lo]/",
        "https://[fe80::1%lo]/",
        "https://[example.com]/",
        "https://%31%32%37.0.0.1/",
        "https://" + "a" * LONGEST + ".example/",
        "https://" + "a." * 130 + "example/",
    ],
)
def test_a_text_that_is_no_url_is_refused(url: str) -> None:
    """Other schemes, users, odd characters and odd hosts are refused, and the place is named."""
    with pytest.raises(InvalidInput) as caught:
        parse(url)
    assert caught.value.where == "url"


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "0177.0.0.1",
        "2130706433",
        "127.0.0.1.",
        "127.0.0.0x1",
        "1.2.3",
        "256.1.1.1",
        "0",
    ],
)
def test_addresses_in_other_spellings_are_refused(host: str) -> None:
    """Decimal, hexadecimal, octal and short forms, which programs read differently, are no hosts."""
    with pytest.raises(InvalidInput):
        parse(f"http://{host}/")


def test_parameters_are_encoded() -> None:
    """What is put into `query` cannot leave it."""
    parsed = parse("https://a.example/x?k=v#f", {"q": "a b&c=d#e/../", "z": "ü\r\n"})
    assert parsed.target == "/x?k=v&q=a+b%26c%3Dd%23e%2F..%2F&z=%C3%BC%0D%0A"
    assert str(parsed) == "https://a.example/x"


def test_redirects_lead_on_from_here() -> None:
    """A location may be relative, and is read as strictly."""
    here = parse("https://a.example:8443/x/y?z")
    assert str(here.redirected("../w")) == "https://a.example:8443/w"
    assert here.redirected("//b.example/v").origin == ("https", "b.example", 443)
    for location in ("file:///etc/passwd", "https://u:p@b.example/", "http://2130706433/"):
        with pytest.raises(InvalidInput):
            here.redirected(location)
