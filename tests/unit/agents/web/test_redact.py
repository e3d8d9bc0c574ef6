"""Redaction: a secret that comes back is not seen, in whatever usual form it comes."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.web.redact import MARK, Redactor

SECRET = "s3cr3t/+töken".replace("ö", "o") + '"&'


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        f"Bearer {SECRET}!",
        quote(SECRET, safe=""),
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        base64.b64encode(f"a:{SECRET} and more".encode()).decode(),
    ],
)
def test_forms_of_a_secret_are_found(echo: str) -> None:
    """As it is, percent-encoded, in base64 at any offset, in hexadecimal."""
    redactor = Redactor([SECRET])
    assert MARK in redactor.text(echo)
    assert SECRET not in redactor.text(echo)
    assert redactor.value({"a": [{"b": echo}]}) == {"a": [{"b": redactor.text(echo)}]}


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40),
    st.binary(max_size=7),
    st.binary(),
)
def test_base64_of_something_around_a_secret(secret: str, before: bytes, after: bytes) -> None:
    """Wherever a secret stands inside what is encoded, too little of it is left to decode it."""
    left = Redactor([secret]).text(base64.b64encode(before + secret.encode() + after).decode())
    assert MARK in left


def test_decoded_basic_credentials_are_a_secret_too() -> None:
    """A secret that is user and password in base64 is found decoded."""
    redactor = Redactor([base64.b64encode(b"user:pass-word").decode()])
    assert redactor.text("you are user:pass-word") == f"you are {MARK}"
    assert redactor.text("your password is pass-word") == f"your password is {MARK}"


def test_keys_and_numbers_are_searched() -> None:
    """A secret may come back as a key, or as a number; what holds none stays as it is, and of its kind."""
    redactor = Redactor(["12345678"])
    body = {"12345678": 1, "n": 12345678, "f": 1.5, "t": True, "x": None}
    assert redactor.value(body) == {MARK: 1, "n": MARK, "f": 1.5, "t": True, "x": None}
    assert json.dumps(redactor.value(True)) == "true"


def test_bytes_are_searched() -> None:
    """A picture that holds a secret is known for it."""
    assert Redactor(["confidential"]).inside(b"\x89PNG confidential")
    assert not Redactor(["confidential"]).inside(b"\x89PNG")
