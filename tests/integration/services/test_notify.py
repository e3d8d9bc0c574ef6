"""The service `notify`, with a real web server and a real mail server."""

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest

from agents.services.notify import Request, notify, usable
from streams.service.call_context import known_as
from streams.service.errors import InvalidInput, RetryLater
from tests.integration.support.http_server import ReceivedRequest, ResponseWriter, server
from tests.integration.support.smtp_server import PASSWORD, USER, smtp_server, trusted

KEY = bytes(range(32))


def allow(monkeypatch: pytest.MonkeyPatch, folder: Path, **mail: object) -> None:
    """Loopback may be called, and a secret signs for it; e-mail as these say."""
    monkeypatch.setenv("MILLRACE_HTTP_ALLOW", "POST http://127.0.0.1:* at 127.0.0.1/32")
    monkeypatch.setenv("MILLRACE_HTTP_SECRETS", str(folder))
    (folder / "ops-hook").write_text("whsec_" + base64.b64encode(KEY).decode())
    (folder / "ops-hook.origins").write_text("http://127.0.0.1:*")
    (folder / "other").write_text("some-other-secret")
    (folder / "other.origins").write_text("https://example.com")
    for name, value in mail.items():
        monkeypatch.setenv(f"MILLRACE_MAIL_{name.upper()}", str(value))


def test_a_message_is_posted_and_signed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The receiver gets one POST whose signature it can check, with the same id at every attempt."""
    allow(monkeypatch, tmp_path)
    with server(lambda _, out: out.send(202, b"thanks", "application/x-odd")) as there:
        asked = Request(
            subject="Done", text="All of it", data={"n": 1}, webhook=there.url("/in?token=t"), secret="ops-hook"
        )
        with known_as("call-1"):
            made = [notify(asked), notify(asked)]
    assert [(one.id, one.status) for one in made] == [("call-1", 202)] * 2
    for heard in there.requests:
        stamp, said = heard.headers["webhook-timestamp"], heard.headers["webhook-signature"]
        signed = hmac.new(KEY, f"call-1.{stamp}.".encode() + heard.body, hashlib.sha256).digest()
        assert said == f"v1,{base64.b64encode(signed).decode()}"
        assert (heard.method, heard.path, heard.headers["webhook-id"]) == ("POST", "/in?token=t", "call-1")
        body = json.loads(heard.body)
        assert (body["type"], body["data"]) == ("notice", {"subject": "Done", "text": "All of it", "data": {"n": 1}})


def test_the_answer_of_a_receiver_decides_whether_to_try_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A redirect, a 404 and a 500 are tried again, and 410 is not; no message repeats the path of the address."""
    allow(monkeypatch, tmp_path)
    answers = iter([301, 404, 500, 410])

    def answer(_: ReceivedRequest, out: ResponseWriter) -> None:
        out.send(next(answers), b"", "text/plain", ("location", "http://127.0.0.1:9/"), ("retry-after", "7"))

    with server(answer) as there:
        asked = Request(subject="x", webhook=there.url("/token"))
        for status in (301, 404, 500):
            with pytest.raises(RetryLater, match=str(status)) as later:
                notify(asked)
            assert "token" not in str(later.value)
            assert later.value.after == 7
        with pytest.raises(InvalidInput, match="410") as refused:
            notify(asked)
        assert "token" not in str(refused.value)
    with pytest.raises(RetryLater) as away:
        notify(asked)
    assert "token" not in str(away.value)
    assert "webhook-signature" not in there.requests[0].headers


def test_only_allowed_receivers_are_notified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a line for it no address is called, a secret signs for its own origins only, and both or neither way is refused."""
    monkeypatch.delenv("MILLRACE_HTTP_ALLOW", raising=False)
    assert "no notice can be sent" in usable()
    with pytest.raises(InvalidInput, match="may not be called"):
        notify(Request(subject="x", webhook="http://127.0.0.1:9/"))
    with pytest.raises(InvalidInput, match="MILLRACE_MAIL_HOST"):
        notify(Request(subject="x", email="ada@example.com"))
    allow(monkeypatch, tmp_path)
    assert usable() == ""
    with server(lambda _, out: out.send(200, b"")) as there:
        with pytest.raises(InvalidInput, match="may not sign for"):
            notify(Request(subject="x", webhook=there.url(), secret="other"))
        with pytest.raises(InvalidInput, match="no secret"):
            notify(Request(subject="x", webhook=there.url(), secret="nobody-s"))
        assert there.requests == []
    for wrong in (Request(subject="x"), Request(subject="x", webhook="http://127.0.0.1/", email="ada@example.com")):
        with pytest.raises(InvalidInput, match="one of"):
            notify(wrong)


def test_an_email_is_sent_over_tls_with_a_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It arrives with its subject, text and value, from the operator's address, under an id that stays the same."""
    context, authority = trusted(tmp_path)
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    with smtp_server(context) as post:
        allow(
            monkeypatch, tmp_path, host="127.0.0.1", port=post.port, ca=authority, user=USER, password_file=secret,
            sender="millrace@example.org", recipients="*@example.com",
        )  # fmt: skip
        with known_as("call-2"):
            notify(Request(subject="Größe", text="Grüße", data=[1, 2], email="ada@example.com"))
        (letter,) = post.messages
        assert post.users == [USER]
        secret.write_text("wrong")
        with pytest.raises(RetryLater, match="rejects the login of millrace"):
            notify(Request(subject="x", email="ada@example.com"))
        assert len(post.messages) == 1
    assert (letter["From"], letter["To"], letter["Message-ID"]) == (
        "millrace@example.org", "ada@example.com", "<call-2@example.org>",
    )  # fmt: skip
    text = letter.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode().split() == ["Grüße", "[", "1,", "2", "]"]


def test_a_server_that_cannot_be_trusted_gets_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unknown authority, and a server without STARTTLS where it is asked for, end the try before anything is sent."""
    context, _ = trusted(tmp_path)
    common = {"host": "127.0.0.1", "sender": "millrace@example.org", "recipients": "*@example.com"}
    with smtp_server(context) as post:
        allow(monkeypatch, tmp_path, port=post.port, **common)
        with pytest.raises(RetryLater, match="not trusted"):
            notify(Request(subject="x", email="ada@example.com"))
    with smtp_server() as plain:
        allow(monkeypatch, tmp_path, port=plain.port, **common)
        with pytest.raises(RetryLater, match="does not offer"):
            notify(Request(subject="x", email="ada@example.com"))
        assert post.messages == plain.messages == []


def test_the_answer_of_a_mail_server_decides_whether_to_try_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A mailbox that does not exist is given up, one that is busy is tried again, and a subject of two lines never gets there."""
    with smtp_server() as post:
        allow(
            monkeypatch, tmp_path, host="127.0.0.1", port=post.port, tls="none", sender="m@example.org",
            recipients="ada@example.com",
        )  # fmt: skip
        post.answers[:] = ["550 no such mailbox", "451 try again"]
        with pytest.raises(InvalidInput, match="550"):
            notify(Request(subject="x", email="ada@example.com"))
        with pytest.raises(RetryLater, match="451"):
            notify(Request(subject="x", email="ada@example.com"))
        with pytest.raises(InvalidInput, match="line end"):
            notify(Request(subject="x\nbcc: eve@example.com", email="ada@example.com"))
        notify(Request(subject="x", email="ada@example.com"))
        assert len(post.messages) == 1
    with pytest.raises(RetryLater, match="cannot be reached"):
        notify(Request(subject="x", email="ada@example.com"))
