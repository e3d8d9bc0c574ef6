"""Who may call, and what every answer has; on a gateway in memory."""

import re

import pytest
from fastapi.routing import APIRoute

from gateway.app import ROUTERS
from tests.unit.gateway.memory.gateway import KEY, MemoryGateway, wait_for

OPEN = {"/health/live", "/health/ready"}
CALLS = sorted(
    (method, re.sub(r"\{[^}]+\}", "x", route.path))
    for module in ROUTERS
    for route in module.router.routes
    if isinstance(route, APIRoute) and route.path not in OPEN
    for method in route.methods or ()
    if (method, route.path) != ("POST", "/session")
)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_no_call_is_served_without_the_key(gateway: MemoryGateway, method: str, path: str) -> None:
    """401, whatever the call; with a wrong key too."""
    for headers in ({"authorization": ""}, {"authorization": "Bearer wrong"}):
        answer = gateway.http.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:millrace:no-key")
        assert answer.headers["www-authenticate"] == 'Bearer realm="millrace"'


def test_health_is_open(gateway: MemoryGateway) -> None:
    """To anybody; ready once every part has answered."""
    nobody = {"authorization": ""}
    assert gateway.http.get("/health/live", headers=nobody).json() == {"status": "live"}
    wait_for(lambda: gateway.http.get("/health/ready", headers=nobody).json() == {"status": "ready"})


def test_a_browser_signs_in_and_out(gateway: MemoryGateway) -> None:
    """With the key for a cookie; then it may read, and change things only from a page of this address."""
    nobody = {"authorization": ""}
    wrong = gateway.http.post("/session", data={"key": "wrong"}, headers=nobody)
    assert wrong.status_code == 401
    entered = gateway.http.post("/session", data={"key": KEY}, headers=nobody, follow_redirects=False)
    assert entered.status_code == 303
    assert gateway.http.get("/pipelines", headers=nobody).status_code == 200
    elsewhere = {**nobody, "origin": "http://elsewhere.example"}
    assert gateway.http.delete("/pipelines/greet", headers=elsewhere).status_code == 403
    here = {**nobody, "origin": "http://127.0.0.1:8000"}
    assert gateway.http.delete("/session", headers=here).status_code == 204
    assert gateway.http.get("/pipelines", headers=nobody).status_code == 401


def test_a_link_with_the_key_leads_on_without_it(gateway: MemoryGateway) -> None:
    """The key does not stay in the address."""
    answer = gateway.http.get(f"/?key={KEY}", headers={"authorization": ""}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    gateway.http.cookies.clear()


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [("GET", "/nothing", 404, "not-found"), ("PATCH", "/runs", 405, "method"), ("GET", "/runs?x=1", 422, "invalid")],
)
def test_refusals_of_the_framework_are_problems_too(
    gateway: MemoryGateway, method: str, path: str, status: int, kind: str
) -> None:
    """With a type, and with the headers that every answer has."""
    answer = gateway.http.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:millrace:{kind}")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_an_error_that_nobody_expected_gives_nothing_away(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500, and the connection is closed."""
    monkeypatch.setattr(gateway.models, "versions", None)
    answer = gateway.http.get("/models")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:millrace:internal")
    assert "NoneType" not in answer.text
    assert answer.headers["connection"] == "close"


def test_metrics_count_requests_by_route(gateway: MemoryGateway) -> None:
    """And never by a path, which clients choose."""
    gateway.http.get("/runs/none-such")
    gateway.components.monitoring.statistics.expire()
    text = gateway.http.get("/metrics").text
    assert 'millrace_http_request_seconds_count{method="GET",route="/runs/{run}",status="404"}' in text
    assert "none-such" not in text
    assert "millrace_history_up 1.0" in text
