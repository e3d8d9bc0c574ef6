"""Errors as RFC 9457 problem documents: one table of kinds with their status and title, and the handlers that apply it."""

import http
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)


class Kind(Enum):
    """The kinds of problems, each with its status and title. The name, in lower case with dashes, is the `type`.

    UNAVAILABLE keeps the `type` that clients know.
    """

    BAD_REQUEST = 400, "The request cannot be understood"
    NO_KEY = 401, "A valid API key is needed"
    FORBIDDEN = 403, "This is not allowed"
    NOT_FOUND = 404, "There is nothing here"
    METHOD = 405, "This method is not offered here"
    SLOW = 408, "The request did not arrive in time"
    RUN_NOT_OVER = 409, "The run has not ended yet"
    RUN_OVER = 409, "The run has ended"
    RUN_CANCELLED = 409, "The run was cancelled"
    DUPLICATE = 409, "A run with this idempotency key is in progress"
    READ_ONLY = 409, "This pipeline is read-only here"
    FULL = 409, "There is no room for another one"
    CONFLICT = 409, "Somebody else changed it meanwhile"
    GONE = 410, "What is needed for this is no longer kept"
    STALE = 412, "It is no longer what you read"
    TOO_LARGE = 413, "The request is too large"
    MEDIA = 415, "This media type is not taken"
    RANGE = 416, "There are no such bytes"
    INVALID = 422, "The input does not fit"
    INVALID_PIPELINE = 422, "The pipeline cannot be compiled"
    KEY_REUSED = 422, "The idempotency key stands for another request"
    RUN_REFUSED = 422, "The run failed: its input cannot be served"
    HEADERS = 431, "The headers are too large"
    RUN_BROKEN = 500, "The run failed: the pipeline has a fault"
    INTERNAL = 500, "The gateway has a fault"
    RUN_FAILED = 502, "The run failed: a service failed"
    UNAVAILABLE = 503, "A part of the system is unavailable", "away"
    BUSY = 503, "Too many clients at once"
    RUN_LATE = 504, "The run did not end before its deadline"

    def __init__(self, status: int, title: str, word: str = "") -> None:
        self.status = status
        self.title = title
        self.word = word or self.name.lower().replace("_", "-")

    @property
    def type(self) -> str:
        """The URI by which programs tell this kind apart."""
        return "urn:millrace:" + self.word


@dataclass(frozen=True)
class Fault:
    """One problem of an input: where (`areas[0].width`), what, and what to do."""

    where: str
    problem: str
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the member of `errors`."""
        return {"where": self.where, "problem": self.problem, "hint": self.hint}


class Problem(Exception):
    """Raised when a request cannot be served; becomes the problem document that the client reads."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        errors: Iterable[Any] = (),
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """`errors` are Faults or anything else with `to_json()`; `extra` are further members of the document."""
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def to_json(self) -> dict[str, Any]:
        """Return the document."""
        document: dict[str, Any] = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            **self.extra,
        }
        if self.errors:
            document["errors"] = [error.to_json() for error in self.errors]
        return document

    def response(self) -> Response:
        """Return the HTTP answer."""
        body = json.dumps(self.to_json(), ensure_ascii=False).encode("utf-8", "replace")
        return Response(body, self.kind.status, self.headers, MEDIA_TYPE)


_BY_STATUS = {401: Kind.NO_KEY, 403: Kind.FORBIDDEN, 404: Kind.NOT_FOUND, 405: Kind.METHOD, 413: Kind.TOO_LARGE}
"""The kinds of the framework's own errors, by status."""


def of_framework(error: HTTPException, path: str, method: str, offered: Iterable[str] = ()) -> Problem:
    """Return an error of the framework as a problem. `offered`: the methods that the path takes."""
    if error.status_code == 404:
        return Problem(Kind.NOT_FOUND, f"{path:.200} does not exist; see /docs for what does.")
    if error.status_code == 405:
        allowed = ", ".join(offered)
        return Problem(
            Kind.METHOD, f"{method} is not offered on {path:.200}; {allowed} is.", headers={"Allow": allowed}
        )
    kind = _BY_STATUS.get(error.status_code, Kind.BAD_REQUEST if error.status_code < 500 else Kind.INTERNAL)
    return Problem(kind, str(error.detail or http.HTTPStatus(error.status_code).phrase), headers=error.headers)


def of_validation(error: RequestValidationError) -> Problem:
    """Return invalid parameters as a problem."""
    faults = [
        Fault(".".join(str(step) for step in each["loc"]), each["msg"], f"got {each.get('input')!r:.80}")
        for each in error.errors()
    ]
    return Problem(Kind.INVALID, "Some parameters are not what this call takes.", faults)


def install(
    app: FastAPI, table: Iterable[tuple[type[Exception], Kind, str]], offered: Callable[[str], Iterable[str]]
) -> None:
    """Answer every error of the app with a problem document. `table`: errors of other packages with their kind and detail.

    In a detail, `{error}` is replaced with the error's message. `offered`: returns the methods that a path takes.
    """

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.scope["path"]
        return of_framework(error, path, request.method, offered(path)).response()

    async def parameters(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return of_validation(error).response()

    async def ours(_: Request, __: Exception) -> Response:
        detail = "Something went wrong here; the gateway's log says what."
        # The server closes the connection after it; without the header, a client would send its next request there.
        return Problem(Kind.INTERNAL, detail, headers={"Connection": "close"}).response()

    app.add_exception_handler(Problem, refused)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(RequestValidationError, parameters)
    app.add_exception_handler(Exception, ours)
    for error_type, kind, detail in table:
        app.add_exception_handler(error_type, _handler(kind, detail))


def _handler(kind: Kind, detail: str) -> Any:
    async def handle(_: Request, error: Exception) -> Response:
        if kind.status >= 500:  # errors of clients are not logged: they could fill the log
            log.warning("%s: %s: %s", kind.type, type(error).__name__, error)
        errors = getattr(error, "problems", ())
        headers = {"Retry-After": "2"} if kind is Kind.UNAVAILABLE else None
        return Problem(kind, detail.format(error=error), errors, headers=headers).response()

    return handle
