"""Models over HTTP: what is registered, which of them is to serve, and ordering another one."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from streams.settings import Settings
from tests.integration.support.gateway_services import ECHO
from tests.integration.support.gateway_world import GatewayWorld, Loop, gateway_world, wait
from tests.integration.support.model_registry import ModelRegistry, model_registry

TRAINER = dataclasses.replace(ECHO, name="oracle-train", trains="oracle")


@dataclass
class GatewaysWithRegistry:
    """Two gateways that look at a registry of their own."""

    world: GatewayWorld
    model_registry: ModelRegistry
    loop: Loop


@pytest.fixture(scope="module")
def gateways_with_registry(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewaysWithRegistry]:
    """Its registry has no tables yet."""
    loop, lent = Loop(), model_registry(settings, "oracle")
    made = loop(lent.__aenter__())
    try:
        with gateway_world(dataclasses.replace(settings, mlflow=made.url), tmp_path_factory.mktemp("home")) as gateways:
            yield GatewaysWithRegistry(gateways, made, loop)
    finally:
        loop(lent.__aexit__(None, None, None))
        loop.close()


def test_the_serving_version_is_shown_and_changed(gateways_with_registry: GatewaysWithRegistry) -> None:
    """Where nothing was trained there is none; a version is named by its number or its digits, and going back is as easy."""
    http, other = gateways_with_registry.world.first.http, gateways_with_registry.world.second.http
    assert http.get("/models").json() == {"models": []}
    assert http.put("/models/oracle/champion", json={"version": "1"}).status_code == 404
    gateways_with_registry.loop(gateways_with_registry.model_registry.make())
    first, second = (
        gateways_with_registry.loop(gateways_with_registry.model_registry.add(word)) for word in ("one", "two")
    )
    known = http.get("/models").json()["models"]
    assert [(one["number"], one["version"], one["champion"]) for one in known] == [
        (1, first, False),
        (2, second, False),
    ]
    assert http.put("/models/oracle/champion", json={"version": "2"}).json()["version"] == second
    versions = other.get("/models/oracle").json()["versions"]
    assert [one["champion"] for one in versions] == [False, True]
    assert http.put("/models/oracle/champion", json={"version": first}).json()["number"] == 1
    assert [one["champion"] for one in other.get("/models/oracle").json()["versions"]] == [True, False]
    assert other.delete("/models/oracle/champion").json()["changed"]
    assert not http.delete("/models/oracle/champion").json()["changed"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"version": 2}', b'{"version": "2", "more": 1}'])
def test_a_body_without_a_version_is_refused(gateways_with_registry: GatewaysWithRegistry, body: bytes) -> None:
    """With the form that the call takes."""
    answer = gateways_with_registry.world.first.http.put("/models/oracle/champion", content=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["hint"] == '{"version": "2"}'


def test_an_unknown_version_or_service_is_reported(gateways_with_registry: GatewaysWithRegistry) -> None:
    """A version that nobody registered, and a service that nobody has."""
    answer = gateways_with_registry.world.first.http.put("/models/oracle/champion", json={"version": "77"})
    assert (answer.status_code, "no version 77 of oracle" in answer.json()["detail"]) == (404, True)
    assert gateways_with_registry.world.first.http.get("/models/nobody").status_code == 404


def test_another_model_is_ordered(gateways_with_registry: GatewaysWithRegistry) -> None:
    """A run of the service that trains it, with that service's input; 404 names what can be trained."""
    http = gateways_with_registry.world.first.http
    gateways_with_registry.world.announce(TRAINER)
    wait(lambda: http.get("/services/oracle-train").status_code == 200, "the gateway knows the trainer")
    answer = http.post("/models/oracle/retrain", json={"text": "digits"})
    assert answer.status_code == 202, answer.text
    run = http.get(answer.headers["location"]).json()
    assert run["pipeline"] == "oracle-train"
    assert http.get("/models/oracle").json()["trained_by"] == "oracle-train"
    wrong = http.post("/models/oracle/retrain", json={"text": 7})
    assert wrong.status_code == 422
    unknown = http.post("/models/nobody/retrain", json={})
    assert (unknown.status_code, unknown.json()["errors"][0]["hint"]) == (404, "there are oracle")
