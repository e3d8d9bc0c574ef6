"""`http:` calls another system with a task for the service `http-call`.

`${secret('name')}` in a header is not an expression: only the name and the text around it travel. It is recognised here, in the
author's own text, so that a value of a run can never become one.
"""

import re
from collections.abc import Mapping
from typing import Any

from streams.language import template
from streams.language.expressions.expression import BadExpression
from streams.nodes import service
from streams.nodes.building import Builder, Built

SERVICE = "http-call"

_SECRET = re.compile(r"""\s*secret\(\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\)\s*""")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CONFIDENTIAL = frozenset({"authorization", "cookie", "x-api-key", "api-key", "x-auth-token"})
_HOW = "write \"${secret('name')}\", and let the operator set it"


def build(node: Builder) -> Built | None:
    """Check the request, and build a call of `http-call` with it."""
    request = node.spec.subject
    if not isinstance(request, dict) or "url" not in request:
        node.refuse(node.place("http"), "http is a mapping with a url", "http: {url: https://…}")
        request = {"url": "", **(request if isinstance(request, dict) else {})}  # so that the rest of it is checked too
    if not node.has_service(SERVICE):
        node.refuse(
            node.place("http"),
            f"no service {SERVICE!r} is known, so http nodes cannot run",
            "start the http-call service",
        )
        for key, value in _with_names(node, request).items():
            if key != "secrets":
                node.template(node.place("http", key), value)
        node.retry()
        node.seconds("timeout")
        return None
    keys = {**node.spec.keys, "http": _with_names(node, request)}
    return service.call(node.with_keys(keys), SERVICE, node.place("http"), "http")


def _with_names(node: Builder, request: Mapping[str, Any]) -> dict[str, Any]:
    """Move the headers that hold a secret to `secrets`, each as a name and the text around it."""
    headers = request.get("headers")
    if not isinstance(headers, dict):
        return dict(request)
    plain: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    for header, value in headers.items():
        secret = _secret(node, header, value)
        if secret is None:
            plain[header] = value
        else:
            secrets[header] = secret
    declared = request.get("secrets", {})
    if not secrets or not isinstance(declared, dict):
        return dict(request)
    return {**request, "headers": plain, "secrets": {**declared, **secrets}}


def _secret(node: Builder, header: str, value: Any) -> dict[str, str] | None:
    """Return the secret in a header's value and the text around it, as templates; None without a secret."""
    try:
        pieces = template.pieces(value) if isinstance(value, str) else []
    except BadExpression:
        return None  # reported where the value is read as a template
    place = node.place("http", "headers", header)
    named = [(match, at, len(text)) for text, at, code in pieces if code and (match := _SECRET.fullmatch(text))]
    if not named:
        if pieces and header.lower() in _CONFIDENTIAL and not any(code for _, _, code in pieces):
            node.refuse(place, "a password does not belong in a pipeline", _HOW)
        return None
    (match, at, length), *others = named
    name = match[1] or match[2] or ""
    if others:
        node.refuse(place, "a header holds one secret at most", "let the operator keep both as one", others[0][1])
    if not _NAME.fullmatch(name):
        node.refuse(place, f"{name!r} is not a valid secret name", "lower-case letters, digits and dashes", at)
    return {"name": name, "before": value[: at - 2], "after": "" if others else value[at + length + 1 :]}
