"""Ask another system over HTTP.

Only what the operator allows can be called, at addresses that are checked and then connected to, also after a redirect.
Secrets are named, never given: the worker adds them to their headers at the moment of the call, sends them only where
they are bound to, and takes them out of the answer. A status from 200 to 299 is an answer; others from 400 to 499 are the
caller's fault and not tried again; 408, 425, 429, 500 and above, and silence are tried again, as the node's `retry` says.
"""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Annotated, Any

from agents.web.allow import SETTING
from agents.web.content import Picture
from agents.web.fetch import fetch
from agents.web.limits import Limits
from agents.web.prepare import Use, prepared
from streams.service import Doc, Record, RetryLater, call_context, service
from streams.settings import SettingError


class Method(StrEnum):
    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


class Secret(Record):
    name: Annotated[str, Doc("The operator's name for it.")]
    before: Annotated[str, Doc("Text before the secret in the header, such as `Bearer `.")] = ""
    after: Annotated[str, Doc("Text after the secret.")] = ""


class Request(Record):
    url: Annotated[str, Doc("http or https, without user, password and spaces.")]
    method: Annotated[Method, Doc("The HTTP method.")] = Method.GET
    query: Annotated[Mapping[str, str], Doc("Parameters, encoded and added to those of the URL.")] = field(
        default_factory=dict
    )
    headers: Annotated[Mapping[str, str], Doc("Headers. Everyone who sees the run sees them.")] = field(
        default_factory=dict
    )
    body: Annotated[Any, Doc("Text is sent as it is, anything else as JSON.")] = None
    secrets: Annotated[Mapping[str, Secret], Doc("Headers that hold a secret, by the header's name.")] = field(
        default_factory=dict
    )
    answers: Annotated[tuple[int, ...], Doc("Statuses besides 200 to 299 that count as an answer.", 100, 599)] = ()


class Response(Record):
    status: Annotated[int, Doc("The status.")]
    headers: Annotated[Mapping[str, str], Doc("By lower-case name, without cookies.")]
    body: Annotated[Any, Doc("The value of JSON, or text; null for a picture and for an empty body.")] = None
    image: Annotated[Picture | None, Doc("The picture, when the answer is one.")] = None


def usable() -> str:
    """Why nothing can be called from here; empty when something can."""
    try:
        limits = Limits.read()
    except SettingError as error:
        return str(error)
    return "" if limits.allowed.rules else f"{SETTING} allows nothing, so no call is taken"


@service(
    "http-call",
    version="1.0.0",
    deterministic=False,
    timeout=30,
    memory=768,
    example={"url": "https://api.example.com/rates", "query": {"currency": "EUR"}},
    check=usable,
)
async def http_call(request: Request) -> Response:
    try:
        limits = Limits.read()
    except SettingError as error:
        raise RetryLater(str(error), "the operator of the http-call worker sets it right") from None
    uses = {name: Use(secret.name, secret.before, secret.after) for name, secret in request.secrets.items()}
    call = prepared(
        method=request.method.value,
        url=request.url,
        query=request.query,
        headers=request.headers,
        body=request.body,
        secrets=uses,
        answers=request.answers,
        limits=limits,
        key=call_context.key(),
    )
    answer = await fetch(call, limits)
    picture = answer.body if isinstance(answer.body, Picture) else None
    return Response(
        status=answer.status,
        headers=answer.headers,
        body=None if picture else answer.body,
        image=picture,
    )
