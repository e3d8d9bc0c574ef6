"""Whom e-mails may go to, and what the operator may set."""

from dataclasses import fields
from pathlib import Path

import pytest

from agents.notices.mail import Mail
from streams.service.errors import InvalidInput
from streams.settings import SettingError

SERVER = {"MILLRACE_MAIL_HOST": "mail.example.com", "MILLRACE_MAIL_SENDER": "millrace@example.com"}


def mail(recipients: str) -> Mail:
    """A server that may write to these."""
    return Mail.read({**SERVER, "MILLRACE_MAIL_RECIPIENTS": recipients})


def test_nobody_is_written_to_until_the_operator_says_whom() -> None:
    """Without a server, or without recipients, the reason is told; addresses and domains open the way for just those."""
    assert "MILLRACE_MAIL_HOST" in Mail.read({}).problem
    assert "MILLRACE_MAIL_RECIPIENTS" in mail("").problem
    open_to = mail("ada@example.org, *@example.com")
    assert open_to.problem == ""
    assert open_to.check("Ada@Example.org") == "Ada@Example.org"
    assert open_to.check("anybody@EXAMPLE.com")
    for other in ("bob@example.org", "ada@mail.example.com", "ada@example.community", "ada@example.com.evil.net"):
        with pytest.raises(InvalidInput, match="is not allowed here"):
            open_to.check(other)


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "@example.com", "a@b@example.com", "ada@example.com\nbcc: x@y.z", "ada@example.com, x@y.z", "a <a@example.com>", "ada@example..com", "ada@example.com."]
)  # fmt: skip
def test_only_one_plain_address_is_an_address(text: str) -> None:
    """Lists, names, line ends and broken domains are refused before they get near a header."""
    with pytest.raises(InvalidInput, match="not the address"):
        mail("*@example.com").check(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [("TLS", "maybe"), ("SENDER", "nobody"), ("RECIPIENTS", "everybody"), ("PORT", "smtp"), ("SECONDS", "0")],
)
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    """The error says which key, and what it holds."""
    with pytest.raises(SettingError, match=f"MILLRACE_MAIL_{key}"):
        Mail.read({**SERVER, f"MILLRACE_MAIL_{key}": value})


def test_a_password_never_goes_out_in_the_clear() -> None:
    """A user without TLS is refused at the start."""
    with pytest.raises(SettingError, match="MILLRACE_MAIL_USER"):
        Mail.read({**SERVER, "MILLRACE_MAIL_TLS": "none", "MILLRACE_MAIL_USER": "ada"})


def test_every_setting_is_documented() -> None:
    """`docs/how-to/notices.md` names each."""
    text = Path("docs/how-to/notices.md").read_text(encoding="utf-8")
    assert [field.name for field in fields(Mail) if f"`MILLRACE_MAIL_{field.name.upper()}`" not in text] == []
    assert "`MILLRACE_NOTIFY`" in text
