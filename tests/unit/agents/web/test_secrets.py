"""Secrets: files or variables of the operator, bound to origins, never shown."""

from pathlib import Path

import pytest

from agents.web.secrets import Misplaced, Secrets
from agents.web.target import parse
from streams.service.errors import InvalidInput

VALUE = "very-confidential"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one secret."""
    (tmp_path / "shop-token").write_text(f"{VALUE}\n")
    (tmp_path / "shop-token.origins").write_text("https://api.example.com\nhttps://*.shop.example\n")
    return tmp_path


def test_a_secret_is_read_when_it_is_asked_for(folder: Path) -> None:
    """A change of the file holds from the next call on."""
    secrets = Secrets(folder, {})
    assert secrets.get("shop-token").value == VALUE
    (folder / "shop-token").write_text("another-value")
    assert secrets.get("shop-token").value == "another-value"


def test_a_secret_goes_to_its_origins_only(folder: Path) -> None:
    """Another host, another port and no encryption are other origins."""
    secret = Secrets(folder, {}).get("shop-token")
    assert secret.open_to(parse("https://api.example.com/x"))
    assert secret.open_to(parse("https://eu.shop.example/x"))
    for url in (
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://example.com/",
        "https://shop.example/",
    ):
        assert not secret.open_to(parse(url))


def test_variables_do_where_there_is_no_file(folder: Path) -> None:
    """MILLRACE_SECRET_<NAME> and its origins; a file of the same name comes first."""
    environ = {
        "MILLRACE_SECRET_SHOP_TOKEN": "not-this-one",
        "MILLRACE_SECRET_OTHER": VALUE,
        "MILLRACE_SECRET_OTHER_ORIGINS": "https://a.example, https://b.example",
    }
    assert Secrets(folder, environ).get("shop-token").value == VALUE
    other = Secrets(None, environ).get("other")
    assert other.value == VALUE
    assert other.open_to(parse("https://b.example/"))


@pytest.mark.parametrize("name", ["", "nobody", "../shop-token", "Shop", "shop_token", "shop-token.origins", "a" * 61])
def test_a_name_that_is_none(folder: Path, name: str) -> None:
    """An unknown name is the caller's fault, and no way out of the folder."""
    with pytest.raises(InvalidInput) as caught:
        Secrets(folder, {}).get(name)
    assert caught.value.where == "secrets"


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("short", "https://a.example"),
        ("two\nlines-of-it", "https://a.example"),
        ("control\x01character", "https://a.example"),
        (VALUE, ""),
        (VALUE, "not an origin"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told_without_it(tmp_path: Path, value: str, origins: str) -> None:
    """The message says what is wrong, and never what the secret is."""
    (tmp_path / "bad").write_text(value)
    (tmp_path / "bad.origins").write_text(origins)
    with pytest.raises(Misplaced) as caught:
        Secrets(tmp_path, {}).get("bad")
    assert "'bad'" in str(caught.value)
    assert value not in str(caught.value)


def test_a_secret_is_not_seen_in_what_is_printed(folder: Path) -> None:
    """Neither a secret nor what keeps secrets shows one when it is logged."""
    secrets = Secrets(folder, {"MILLRACE_SECRET_X": VALUE})
    assert VALUE not in repr(secrets) + repr(secrets.get("shop-token"))
