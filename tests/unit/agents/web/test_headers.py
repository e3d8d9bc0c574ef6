"""Headers: what may be sent, and what of an answer is shown."""

import pytest

from agents.web.headers import LARGEST, MOST, checked, shown
from streams.service.errors import InvalidInput


def test_headers_are_named_in_lower_case() -> None:
    """A name is one name in any case; spaces around a value are none of its."""
    assert checked({"X-Shop": " a b ", "accept": ""}) == {"x-shop": "a b", "accept": ""}


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "a\r\nhost: other"},
        {"x": "a\nb"},
        {"x": "a\0b"},
        {"x": "a\x7f"},
        {"x": "ä"},
        {"x\r\ny": "a"},
        {"x y": "a"},
        {"x:": "a"},
        {"": "a"},
        {"ä": "a"},
        {"x": "a", "X": "b"},
        {"Host": "other"},
        {"content-length": "3"},
        {"Transfer-Encoding": "chunked"},
        {"connection": "close"},
        {"Keep-Alive": "9"},
        {"TE": "trailers"},
        {"trailer": "x"},
        {"upgrade": "h2c"},
        {"expect": "100-continue"},
        {"Proxy-Authorization": "x"},
        {"proxy-anything": "x"},
        {"accept-encoding": "br"},
        {"Sec-Fetch-Site": "none"},
        {"http2-settings": "x"},
        {"x": "a" * (LARGEST + 1)},
        {f"x{number}": "a" for number in range(MOST + 1)},
    ],
)
def test_headers_that_are_not_the_callers_are_refused(headers: dict[str, str]) -> None:
    """Line ends, headers of the connection, and more than there may be."""
    with pytest.raises(InvalidInput) as caught:
        checked(headers)
    assert caught.value.where.startswith("headers")


def test_a_refusal_shows_no_value() -> None:
    """What stands in a header may be confidential."""
    with pytest.raises(InvalidInput) as caught:
        checked({"x": "confidential\n"})
    assert "confidential" not in str(caught.value)


def test_headers_of_one_name_are_joined_and_cookies_left_out() -> None:
    """Headers of one name are joined, and cookies are nobody's."""
    raw = [
        (b"X-A", b"1"),
        (b"x-a", b"2"),
        (b"Set-Cookie", b"session=1"),
        (b"WWW-Authenticate", b"Basic"),
        (b"x-b", b"\xe4"),
    ]
    assert shown(raw) == {"x-a": "1, 2", "x-b": "ä"}
