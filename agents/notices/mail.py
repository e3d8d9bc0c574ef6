"""Send e-mail over SMTP, by the operator's server, to the recipients that the operator allows; none by default."""

import asyncio
import re
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from functools import cached_property
from pathlib import Path
from typing import Self

from streams.service.errors import InvalidInput, RetryLater
from streams.settings import SettingError, read_fields

PREFIX = "MILLRACE_MAIL_"
RECIPIENTS = f"{PREFIX}RECIPIENTS"
TLS = ("starttls", "tls", "none")

_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.|$))+(?<!\.)"
)
_LONGEST = 200
"""Characters of a subject."""
_OPERATOR = "the operator of this worker sets it right"


@dataclass(frozen=True)
class Mail:
    """Each field is read from `MILLRACE_MAIL_<FIELD>`; the numbers are positive."""

    host: str = ""
    """The SMTP server; without one no e-mail is sent."""
    port: int = 587
    tls: str = TLS[0]
    """`starttls`, `tls` from the first byte (port 465), or `none`; certificates are verified."""
    ca: str = ""
    """A file with certificates (PEM) of authorities to trust besides those of the system."""
    user: str = ""
    """The user that logs in; empty: no login. Never without TLS."""
    password_file: str = ""
    """The file with the user's password, read at each e-mail."""
    sender: str = ""
    """The address that e-mails come from."""
    recipients: str = ""
    """Who may be written to: addresses, or `*@example.com`, comma separated; empty: nobody."""
    seconds: float = 20.0
    """Seconds to wait for each answer of the server."""

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings from the environment. Raises SettingError naming the key and the invalid value."""
        settings = cls(**read_fields(cls, PREFIX, environ))
        if settings.tls not in TLS:
            raise SettingError(f"{PREFIX}TLS: expected one of {', '.join(TLS)}, got {settings.tls!r}")
        if settings.user and settings.tls == "none":
            raise SettingError(f"{PREFIX}USER: a password is not sent without TLS; say {PREFIX}TLS=starttls or tls")
        if settings.host and not _ADDRESS.fullmatch(settings.sender):
            raise SettingError(
                f"{PREFIX}SENDER: expected an address such as millrace@example.com, got {settings.sender!r}"
            )
        settings.allowed  # noqa: B018  # read now, so that a wrong one is reported at once
        return settings

    @cached_property
    def allowed(self) -> frozenset[str]:
        """`recipients`, in lower case. Raises SettingError."""
        recipients = frozenset(
            recipient.strip().lower() for recipient in self.recipients.split(",") if recipient.strip()
        )
        for recipient in recipients:
            if not _ADDRESS.fullmatch(recipient):  # `*` may be before an @ too
                raise SettingError(f"{RECIPIENTS}: {recipient!r} is neither an address nor *@example.com")
        return recipients

    @property
    def problem(self) -> str:
        """Why nobody can be written to; empty when somebody can."""
        if not self.host:
            return f"{PREFIX}HOST names no server, so no e-mail is sent"
        return "" if self.allowed else f"{RECIPIENTS} allows nobody, so no e-mail is sent"

    def check(self, address: str) -> str:
        """Return the address if mail may be sent to it. Raises InvalidInput otherwise."""
        if not _ADDRESS.fullmatch(address):
            raise InvalidInput("this is not the address of one person", "such as somebody@example.com", "email")
        domain = address.lower().partition("@")[2]
        if address.lower() not in self.allowed and f"*@{domain}" not in self.allowed:
            raise InvalidInput(
                f"mail to this address at {domain} is not allowed here", f"{RECIPIENTS} says who may", "email"
            )
        return address

    def password(self) -> str:
        """Read the password of the user. Raises RetryLater when its file cannot be read."""
        try:
            return Path(self.password_file).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeError) as error:
            raise RetryLater(f"the password of {self.user} cannot be read: {type(error).__name__}", _OPERATOR) from None


@dataclass(frozen=True)
class Letter:
    """One e-mail to one person."""

    identity: str
    """The same at every attempt: it becomes the Message-ID, so that a mailbox shows a duplicate once."""
    to: str
    subject: str
    text: str


async def send(letter: Letter, mail: Mail) -> None:
    """Send a message in a thread. Raises InvalidInput for what will never be accepted, RetryLater for what may be accepted later."""
    if mail.problem:
        raise InvalidInput(mail.problem, _OPERATOR, "email")
    mail.check(letter.to)
    if re.search(r"[\x00-\x1f\x7f]", letter.subject) or len(letter.subject) > _LONGEST:
        raise InvalidInput(f"the subject is longer than {_LONGEST} characters or has a line end", where="subject")
    await asyncio.to_thread(_send, _written(letter, mail), mail)


def _written(letter: Letter, mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = mail.sender, letter.to, letter.subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = f"<{letter.identity}@{mail.sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # no absence notes in reply
    message.set_content(letter.text)
    return message


def _send(message: EmailMessage, mail: Mail) -> None:
    try:
        with _connected(mail) as server:
            if mail.user:
                server.login(mail.user, mail.password())
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        raise _judged(*next(iter(error.recipients.values()))) from None
    except smtplib.SMTPAuthenticationError as error:
        raise RetryLater(f"{mail.host} rejects the login of {mail.user} ({error.smtp_code})", _OPERATOR) from None
    except smtplib.SMTPNotSupportedError as error:
        raise RetryLater(f"{mail.host} does not offer what is needed: {error}", _OPERATOR) from None
    except smtplib.SMTPResponseException as error:
        raise _judged(error.smtp_code, error.smtp_error) from None
    except ssl.SSLCertVerificationError as error:
        raise RetryLater(f"the certificate of {mail.host} is not trusted: {error.verify_message}", _OPERATOR) from None
    except (smtplib.SMTPException, OSError) as error:
        raise RetryLater(f"{mail.host} cannot be reached ({type(error).__name__})") from None


def _connected(mail: Mail) -> smtplib.SMTP:
    if mail.tls == "tls":
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=mail.seconds, context=_trust(mail))
    server = smtplib.SMTP(mail.host, mail.port, timeout=mail.seconds)
    if mail.tls == "starttls":
        try:
            server.starttls(context=_trust(mail))
        except BaseException:
            server.close()
            raise
    return server


def _trust(mail: Mail) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if mail.ca:
        context.load_verify_locations(cafile=mail.ca)
    return context


def _judged(code: int, answer: bytes | str) -> InvalidInput | RetryLater:
    """Map a server's answer to an error: 5xx is permanent (RFC 5321, 4.2.1)."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    reason = f"the mail server answered {code}: {' '.join(text.split()):.200}"
    return InvalidInput(reason, where="email") if code >= 500 else RetryLater(reason)
