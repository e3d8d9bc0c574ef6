"""What the address of any call may say: asked of a gateway that is connected to nothing."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from gateway.app import ROUTERS, GatewayApp, create_app
from streams.settings import Settings

CALLS = sorted(
    (method, re.sub(r"\{[^}]+\}", "x", route.path))
    for module in ROUTERS
    for route in module.router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> GatewayApp:
    """A gateway."""
    return create_app(Settings(home=tmp_path_factory.mktemp("home")))


def ask(app: GatewayApp, method: str, path: str) -> Any:
    """The answer to a call."""
    headers = {"authorization": f"Bearer {app.components.access.authenticator.key}"}

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway:8000", headers=headers) as client:
            return await client.request(method, path)

    return asyncio.run(call())


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_no_call_takes_a_parameter_that_it_does_not_know(app: GatewayApp, method: str, path: str) -> None:
    """What was meant by it would be left undone without a word."""
    answer = ask(app, method, f"{path}?nonsense=1")
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert (fault["where"], fault["problem"]) == ("query.nonsense", "this call takes no such parameter")
    assert fault["hint"]


@pytest.mark.parametrize(
    ("method", "path", "hint"),
    [
        ("POST", "/pipelines/greet/runs?callback=http://x", "did you mean 'callback_url'?"),
        ("GET", "/runs?statuss=failed", "did you mean 'status'?"),
        ("GET", "/dead-letters?untill=2026-01-01&limit=2", "did you mean 'until'?"),
        ("GET", "/runs?Limit=2", "did you mean 'limit'?"),
        ("GET", "/openapi.json?v=2", "it takes none"),
    ],
)
def test_the_nearest_address_is_suggested(app: GatewayApp, method: str, path: str, hint: str) -> None:
    """Where something is near; else what there is."""
    answer = ask(app, method, path)
    assert [one["hint"] for one in answer.json()["errors"]] == [hint]


def test_many_and_long_parameters_are_refused_in_a_short_answer(app: GatewayApp) -> None:
    """However many there are."""
    answer = ask(app, "GET", "/runs?" + "&".join(f"{'x' * 300}{number}=1" for number in range(100)))
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 20
    assert len(answer.text) < 10_000


def test_a_link_may_keep_its_key(app: GatewayApp) -> None:
    """Who is known otherwise may follow a link that has one."""
    assert ask(app, "GET", "/openapi.json?key=old").status_code == 503  # which is of the catalogues, not of the address
