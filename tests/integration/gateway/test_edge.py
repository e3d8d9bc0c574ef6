"""Keys, headers, pages, health and metrics of a running gateway; and what the framework itself refuses."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest

from streams.messages import Event, EventKind
from streams.runtime.kafka.partitioner import partition_of
from streams.settings import Settings
from tests.integration.support.gateway_world import FINISHED, Gateway, GatewayWorld, wait


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/runs",
        "/services",
        "/pipelines",
        "/openapi.json",
        "/asyncapi.json",
        "/docs",
        "/metrics",
        "/objects/a/b",
        "/x",
    ],
)
def test_every_call_needs_the_key(gateways: GatewayWorld, path: str) -> None:
    """Nothing but health can be seen without the key, not even what exists."""
    answer = httpx.get(gateways.first.url + path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_browser_signs_in(gateways: GatewayWorld) -> None:
    """A link with the key, or the form, gives a session that sees pages and images and can run from its own page."""
    world = gateways
    with httpx.Client(base_url=world.first.url) as browser:
        page = browser.get("/", headers={"accept": "text/html"})
        assert (page.status_code, "<form" in page.text) == (401, True)
        assert browser.post("/session", data={"key": "wrong"}).status_code == 401
        assert browser.post("/session", data={"key": world.first.key}).status_code == 303
        assert browser.get("/").status_code == 200
        assert browser.post("/pipelines/greet/runs", json={"name": "x"}).status_code == 403
        own = {"origin": world.first.url}
        assert browser.post("/pipelines/greet/runs", json={"name": "x"}, headers=own).status_code == 202
        kept = dict(browser.cookies)
        assert browser.delete("/session", headers=own).status_code == 204
        assert browser.get("/").status_code == 401
        assert httpx.get(world.first.url + "/", cookies=kept).status_code == 401  # whoever has kept it
    with httpx.Client(base_url=world.first.url, follow_redirects=True) as browser:
        page = browser.get(f"/?key={world.first.key}")
        assert (page.status_code, str(page.url)) == (200, world.first.url + "/")
        (session,) = browser.cookies.values()
        there = {f"millrace_{world.second.url.rpartition(':')[2]}": session}
        assert httpx.get(world.second.url + "/", cookies=there).status_code == 200  # it holds on every gateway


def test_the_page(gateways: GatewayWorld) -> None:
    """The root page lists what there is, with every text escaped, and loads nothing from elsewhere."""
    world = gateways
    text = 'pipeline: evil\nsummary: "<script>alert(1)</script>"\ninput: {}\nnodes: {}\noutput: {n: 1}\n'
    assert (
        world.first.http.put("/pipelines/evil", content=text, headers={"content-type": "text/yaml"}).status_code == 201
    )
    page = world.first.http.get("/")
    assert 'href="/pipelines/greet"' in page.text
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert world.first.http.delete("/pipelines/evil").status_code == 204


def test_the_page_of_the_api_is_complete(gateways: GatewayWorld) -> None:
    """Everything that the API page loads is served here, and its policy allows nothing else."""
    page = gateways.first.http.get("/docs")
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'self'" in page.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    for path in loaded:
        assert path.startswith("/docs/")
        assert gateways.first.http.get(path).status_code == 200, path
    assert gateways.first.http.get("/docs/../auth.py").status_code == 404
    assert gateways.first.http.get("/docs/__init__.py").status_code == 404


def test_headers_of_every_answer(gateways: GatewayWorld) -> None:
    """Every answer, errors included, tells browsers to trust nothing, and none allows another origin."""
    for answer in (
        gateways.first.http.get("/runs", headers={"origin": "http://evil.example"}),
        gateways.first.http.get("/nothing"),
        httpx.get(gateways.first.url + "/runs"),
        gateways.first.http.options("/runs", headers={"origin": "http://x", "access-control-request-method": "POST"}),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/runs", 405),
        ("PATCH", "/pipelines/greet", 405),
        ("GET", "/pipelines/greet/runs", 405),
        ("GET", "/runs/", 404),
        ("GET", "/runs/%2e%2e/x", 404),
        ("TRACE", "/", 405),
    ],
)
def test_unknown_paths_and_methods_are_problems(gateways: GatewayWorld, method: str, path: str, status: int) -> None:
    """Unknown paths and methods are problems like all others, and a 405 says what is offered."""
    answer = gateways.first.http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert (status != 405) or answer.headers["allow"]


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/pipelines/greet", "DELETE, GET, HEAD, PUT"),
        ("/pipelines/greet/runs", "POST"),
        ("/runs/abc", "DELETE, GET, HEAD"),
        ("/runs", "GET, HEAD"),
        ("/objects/a/b", "GET, HEAD"),
        ("/session", "DELETE, POST"),
    ],
)
def test_a_refused_method_names_every_other_one(gateways: GatewayWorld, path: str, allow: str) -> None:
    """`Allow` has all that the path takes, and the detail says them."""
    answer = gateways.first.http.patch(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert f"; {allow} is." in answer.json()["detail"]


def test_a_websocket_is_not_offered(gateways: GatewayWorld, caplog: pytest.LogCaptureFixture) -> None:
    """Anybody may ask for one, without a key: it is answered as if it were not asked, and that is no error of the gateway."""
    ask = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13"}
    ask["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    assert httpx.get(gateways.first.url + "/runs", headers=ask).status_code == 401
    assert gateways.first.http.get("/runs", headers=ask).status_code == 200
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


def test_head_is_what_get_says_without_its_body(gateways: GatewayWorld) -> None:
    """Wherever there is a GET, for whoever only wants to know whether something is there; an event stream ends at once."""
    world = gateways
    run = world.submit()
    for path in ("/health/ready", "/", "/runs", f"/runs/{run.id}", "/pipelines/greet", "/nothing", "/docs", "/metrics"):
        head, get = world.first.http.head(path), world.first.http.get(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert head.headers["content-type"] == get.headers["content-type"], path
    stream = world.first.http.head(f"/runs/{run.id}/events")
    assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    wait(lambda: world.first.app.components.following.streams.open == 0, "the stream's place is free again")
    assert httpx.head(world.first.url + "/runs").status_code == 401
    assert world.first.http.head("/pipelines/greet/runs").status_code == 405


def test_a_fault_of_ours_is_a_problem_without_details(gateways: GatewayWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody expected is a 500 that gives nothing away."""
    monkeypatch.setattr("gateway.catalogue.catalogue.describe_service", lambda *_: 1 / 0)
    monkeypatch.setattr(type(gateways.first.app.components.catalogues.services), "contracts", lambda _: {"x": None})
    answer = gateways.first.http.get("/services")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "division" not in answer.text
    assert (
        answer.headers["connection"] == "close"
    )  # which the server does: a client may not send its next request there
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_health(gateways: GatewayWorld) -> None:
    """A gateway that has all its parts is live and ready, for anybody who asks."""
    for path, status in (("/health/live", "live"), ("/health/ready", "ready")):
        answer = httpx.get(gateways.first.url + path)
        assert (answer.status_code, answer.json()) == (200, {"status": status})


def test_health_says_what_is_missing(tmp_path: Path, settings: Settings) -> None:
    """Without its parts a gateway lives, says what is missing, and answers calls with 503 and not with faults."""
    nowhere = "127.0.0.1:9"
    lost = replace(
        settings, home=tmp_path, kafka=nowhere, registry=f"http://{nowhere}", s3=f"http://{nowhere}",
        postgres=f"postgresql://millrace@{nowhere}/millrace",
    )  # fmt: skip
    gateway = Gateway(lost)
    try:
        assert gateway.http.get("/health/live").status_code == 200
        answer = gateway.http.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["missing"].keys() == {"kafka", "registry", "s3", "postgres"}
        for path in (
            "/services",
            "/pipelines",
            "/openapi.json",
            "/runs",
            "/runs/abc",
            "/runs/abc/events",
            f"/objects/{lost.s3_bucket}/runs/a/b",
        ):
            away = gateway.http.get(path)
            assert away.status_code == 503, (path, away.text)
            assert away.headers["content-type"] == "application/problem+json"
        assert gateway.http.put("/pipelines/greet", content=b"{}").status_code == 503
        assert "millrace_history_up 0.0" in gateway.http.get("/metrics").text
    finally:
        gateway.stop()


def figures(gateway: Gateway) -> dict[str, float]:
    """What /metrics says, by name and labels."""
    lines = gateway.http.get("/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_metrics(gateways: GatewayWorld) -> None:
    """Runs and node executions are counted from the history, overall and by pipeline and service; requests by route."""
    world = gateways
    run, other = world.run(pipeline="counted"), world.run(pipeline="counted")
    world.record(run, [(1, Event(run, EventKind.ACCEPTED)), (2, Event(run, FINISHED))])
    world.record(other, [(3, Event(other, EventKind.ACCEPTED))])
    with psycopg.connect(world.settings.postgres, autocommit=True) as connection:
        connection.execute(
            "insert into node_executions (run, node, path, status, service, sequence) values (%s, 'a', 'a', 'finished', 'echo', 2)",
            (run.id,),
        )
    world.second.app.components.monitoring.statistics.expire()
    found = figures(world.second)
    assert found['millrace_runs{pipeline="counted",status="finished"}'] == 1
    assert found['millrace_runs{pipeline="counted",status="running"}'] == 1
    assert found['millrace_node_executions{service="echo",status="finished"}'] == 1
    assert found["millrace_runs_total"] >= 2
    assert found['millrace_runs_by_state{state="finished"}'] >= 1
    assert found["millrace_history_up"] == 1
    world.second.http.get("/runs/none-such")
    assert (
        figures(world.second)['millrace_http_request_seconds_count{method="GET",route="/runs/{run}",status="404"}'] >= 1
    )
    open_run = world.submit()
    with world.second.http.stream("GET", f"/runs/{open_run.id}/events"):
        assert figures(world.second)["millrace_sse_clients"] == 1
    wait(lambda: figures(world.second)["millrace_sse_clients"] == 0, "the stream is closed")


def test_metrics_say_how_far_the_history_is_behind(gateways: GatewayWorld) -> None:
    """Events that happened and that nobody recorded yet are counted, until they are recorded."""
    world = gateways
    name = "millrace_history_behind_events"

    def behind() -> float:
        world.second.app.components.monitoring.statistics.expire()
        return figures(world.second)[name]

    run = world.run()
    partition = partition_of(run.id, world.settings.partitions)
    end = world.tell(Event(run, EventKind.ACCEPTED)) + 1
    world.reached(partition, end)
    wait(lambda: world.second.app.components.following.tail.positions.get(partition, 0) >= end, "the event is seen")
    before = behind()
    last = world.tell(*(Event(run, EventKind.STARTED, f"n{number}") for number in range(3)))
    wait(lambda: behind() >= before + 3, "three events are not recorded")
    world.reached(partition, last + 1)
    assert behind() == before


def test_a_key_in_a_query_is_not_a_label(gateways: GatewayWorld) -> None:
    """What clients choose never becomes a label: paths that do not exist share one."""
    for number in range(5):
        gateways.first.http.get(f"/made-up-{number}?key=secret")
    text = gateways.first.http.get("/metrics").text
    assert "made-up" not in text
    assert "secret" not in text


NUL_CURSOR = base64.urlsafe_b64encode(b"2026-01-01T00:00:00+00:00 \0").decode()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", f"/runs/%00{more}", 404) for more in ("", "/events", "/result", "/explain")),
        ("DELETE", "/runs/%00", 404),
        ("POST", "/runs/%00/replay", 404),
        ("GET", "/models/%00", 404),
        ("DELETE", "/models/%00/champion", 404),
        ("GET", "/runs?pipeline=%00", 422),
        ("GET", "/runs?shadow_of=%00", 422),
        ("GET", f"/runs?cursor={NUL_CURSOR}", 422),
        ("GET", "/predictions?service=%00", 422),
        ("GET", "/predictions/drift?service=%00", 422),
        ("GET", "/notices?run=%00", 422),
        *(
            ("GET", f"{path}?{name}={moment}", 200)
            for path, name in (("/runs", "since"), ("/predictions", "until"), ("/notices", "since"), ("/dead-letters", "until"))
            for moment in ("0001-01-01T00:00:00", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00")
        ),
        ("GET", f"/dead-letters/0-{'9' * 5000}", 404),
        ("GET", f"/dead-letters/{'9' * 5000}-0", 404),
    ],
)  # fmt: skip
def test_no_address_is_a_fault_of_ours(gateways: GatewayWorld, method: str, path: str, status: int) -> None:
    """Texts that the database does not take, the ends of the calendar, and numbers without end are answered like others."""
    answer = gateways.first.http.request(method, path)
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.headers["content-type"] == "application/problem+json"
