"""The session of a browser: signing in with the key, and out."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.api import auth
from gateway.api.problems import Kind, Problem
from gateway.dependencies import AuthenticatorDep
from gateway.http import body

router = APIRouter(include_in_schema=False)


@router.post(auth.LOGIN)
async def sign_in(request: Request, authenticator: AuthenticatorDep) -> Response:
    """Sign in with the form of the sign-in page."""
    text = (await body.read(request, 4096)).decode("latin-1")
    keys = parse_qs(text).get("key", [])
    if len(keys) != 1 or not authenticator.knows(keys[0].strip()):
        raise Problem(Kind.NO_KEY, "This is not the key.", headers={"WWW-Authenticate": 'Bearer realm="millrace"'})
    return auth.sign_in_response(authenticator, "/", request.scope)


@router.delete(auth.LOGIN)
async def sign_out(request: Request, authenticator: AuthenticatorDep) -> Response:
    """End the session of this browser."""
    return auth.sign_out_response(authenticator, request.scope)
