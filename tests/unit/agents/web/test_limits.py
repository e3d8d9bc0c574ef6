"""Limits of calls: read from the environment, each one documented."""

from dataclasses import fields
from pathlib import Path

import pytest

from agents.services.http_call import usable
from agents.web.limits import Limits
from streams.settings import SettingError

DOC = Path(__file__).parents[4] / "docs" / "reference" / "http-nodes.md"


def test_limits_are_read() -> None:
    """Each from its variable, the rest from the defaults."""
    limits = Limits.read(
        {"MILLRACE_HTTP_ALLOW": "https://a.example", "MILLRACE_HTTP_REDIRECTS": "0", "MILLRACE_HTTP_CONNECT": "1.5"}
    )
    assert (len(limits.allowed.rules), limits.redirects, limits.connect, limits.silence) == (1, 0, 1.5, 15.0)
    assert Limits.read({}).allowed.rules == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ANSWER", "0"),
        ("ANSWER", "many"),
        ("REDIRECTS", "-1"),
        ("CONNECT", "inf"),
        ("SILENCE", "nan"),
        ("ALLOW", "everyone"),
    ],
)
def test_a_wrong_limit_names_its_variable(key: str, value: str) -> None:
    """The message says which one and what it holds."""
    with pytest.raises(SettingError) as caught:
        Limits.read({f"MILLRACE_HTTP_{key}": value})
    assert f"MILLRACE_HTTP_{key}" in str(caught.value)
    assert value in str(caught.value)


def test_the_catalogue_says_when_nothing_can_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a list, or with one that cannot be read, the service announces why it cannot serve."""
    monkeypatch.delenv("MILLRACE_HTTP_ALLOW", raising=False)
    assert usable() == "MILLRACE_HTTP_ALLOW allows nothing, so no call is taken"
    monkeypatch.setenv("MILLRACE_HTTP_ALLOW", "everyone")
    assert "'everyone' cannot be read" in usable()
    monkeypatch.setenv("MILLRACE_HTTP_ALLOW", "https://a.example")
    assert usable() == ""


def test_every_limit_is_documented() -> None:
    """The page about http nodes has each variable."""
    text = DOC.read_text()
    assert [field.name for field in fields(Limits) if f"`MILLRACE_HTTP_{field.name.upper()}`" not in text] == []
