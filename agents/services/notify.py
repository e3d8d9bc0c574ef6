"""Tell somebody: a signed message to a web address, or an e-mail.

Only receivers that the operator allows can be notified. A message is signed as Standard Webhooks says, with a secret that is named, never
given. A message that is not accepted is sent again, as the node's `retry` says, with the same id each time. For notices at the end of
every run, the operator has a list of its own, which needs no node: see the documentation of notifications.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from agents.notices import mail, webhook
from agents.notices.mail import Letter, Mail
from agents.notices.webhook import Post, encoded
from agents.web.allow import SETTING
from agents.web.limits import Limits
from streams.service import Doc, InvalidInput, Record, RetryLater, call_context, service
from streams.settings import SettingError


class Request(Record):
    subject: Annotated[str, Doc("What it is about, on one line.")]
    text: Annotated[str, Doc("What to say.")] = ""
    data: Annotated[Any, Doc("A value that goes along, as JSON.")] = None
    webhook: Annotated[str | None, Doc("The http or https address that it is posted to.")] = None
    secret: Annotated[str, Doc("The operator's name of the secret that signs it.")] = ""
    email: Annotated[str | None, Doc("The address that it is written to; this or `webhook`.")] = None


class Response(Record):
    id: Annotated[str, Doc("What the receiver knows it by.")]
    status: Annotated[int | None, Doc("What a web address answered.")] = None


def usable() -> str:
    """Return why no notice can be sent from here; empty when one can."""
    try:
        limits, letters = Limits.read(), Mail.read()
    except SettingError as error:
        return str(error)
    if limits.allowed.rules or not letters.problem:
        return ""
    return f"{SETTING} allows nothing and {letters.problem}: no notice can be sent"


@service(
    "notify",
    version="1.0.0",
    deterministic=False,
    timeout=60,
    memory=768,
    example={
        "subject": "A picture was refused",
        "text": "It shows two digits.",
        "webhook": "https://hooks.example.com/in",
    },
    check=usable,
)
async def notify(request: Request) -> Response:
    if (request.webhook is None) == (request.email is None):
        raise InvalidInput("say one of `webhook` and `email`", "two nodes tell two", "webhook")
    identity = call_context.key()
    try:
        limits, letters = Limits.read(), Mail.read()
    except SettingError as error:
        raise RetryLater(str(error), "the operator of the notify worker sets it right") from None
    if request.webhook is not None:
        data = {"subject": request.subject, "text": request.text, "data": request.data}
        body = encoded("notice", datetime.now(UTC).isoformat(timespec="seconds"), data)
        return Response(
            id=identity, status=await webhook.send(Post(identity, request.webhook, request.secret, body), limits)
        )
    assert request.email is not None
    text = (
        request.text
        if request.data is None
        else f"{request.text}\n\n{json.dumps(request.data, indent=2, ensure_ascii=False)}\n"
    )
    await mail.send(Letter(identity, request.email, request.subject, text), letters)
    return Response(id=identity)
