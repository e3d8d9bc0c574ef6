"""Drift: measured from what the recorder wrote against a model's card, and shown over HTTP and in the metrics."""

import asyncio
import json
import random
import secrets
import time
import uuid
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from agents.digits.bundle import FOLDER
from agents.workers.drift import DriftWatch
from streams.datasets.drift import described, listed
from streams.datasets.predictions import KEY
from streams.messages import Event, EventKind, Run
from streams.models import read, version_of
from streams.models.bundle import CARD, prefix_of
from streams.runtime.history import tables
from streams.runtime.history.folding import LoggedEvent
from streams.runtime.history.recorder import record
from streams.runtime.storage.store import Store
from streams.wire.codec import SentEvent
from streams.wire.records import Place
from tests.integration.support.gateway_world import GatewayWorld, wait

OFFSETS = iter(range(10_000_000, 20_000_000))


def story(service: str, version: str, given: dict[str, Any], output: dict[str, Any]) -> list[Event]:
    """The beginning and the end of one prediction."""
    run = Run(str(uuid.uuid4()), service, "d" * 64, 2e9)
    answered = {**output, "model": "m", "model_version": version}
    ended = Event(run, EventKind.FINISHED, "n", (), "n", 1, {"output": answered})
    about = {"id": ended.id, "service": service, "input": "c" * 64}
    begun = Event(run, EventKind.STARTED, "n", (), "n", 1, {"service": service, "input": given})
    return [begun, Event(run, EventKind.FINISHED, "n", (), "n", 1, {"output": answered, KEY: about})]


def met(world: GatewayWorld, events: list[Event]) -> None:
    """The recorder writes these, and what is new is measured."""

    async def main() -> None:
        url = world.settings.postgres
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as link:
            await tables.ensure(link)
            batch = [
                LoggedEvent(SentEvent(event, event.id, time.time()), Place("run.events", 9), next(OFFSETS))
                for event in events
            ]
            await record(link, batch)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row) as rows:
            store = Store(world.settings)
            await DriftWatch(url, store).measure(rows)
            store.close()

    asyncio.run(main())


def drift(world: GatewayWorld, **query: str) -> dict[str, dict[str, Any]]:
    """What is said of a model, by feature."""
    return {
        measure["feature"]: measure
        for measure in world.first.http.get("/predictions/drift", params=query).json()["drift"]
    }


def digits(luck: random.Random, *, faint: bool) -> list[Event]:
    """Digits as the shipped card says they were, or written with another pen."""
    features = read(FOLDER).card["reference"]["features"]
    edges = [0.0, *features["output.ink"]["edges"], 0.3]
    version = read(FOLDER).version
    events = []
    for number in range(300):
        low, high = (0.01, 0.06) if faint else (edges[number % 10], edges[number % 10 + 1])
        confidence = 0.6 if faint and number % 2 else 0.5 if number % 100 == 0 else 0.999
        output = {"ink": luck.uniform(low, high), "confidence": confidence, "digit": number % 10}
        events += story("digit-recognition", version, {}, output)
    return events


def test_another_pen_is_seen(gateways: GatewayWorld) -> None:
    """Digits like those that were learned from are steady; fainter ones that the model doubts have drifted, and the metrics say so."""
    luck, version = random.Random(5), read(FOLDER).version
    met(gateways, digits(luck, faint=False))
    measured = drift(gateways, service="digit-recognition", model_version=version)
    assert measured.keys() == {"output.ink", "output.confidence", "output.digit"}
    assert {measure["level"] for measure in measured.values()} == {"steady"}
    assert {measure["predictions"] for measure in measured.values()} == {300}
    met(gateways, digits(luck, faint=True))
    measured = drift(gateways, service="digit-recognition", model_version=version)
    assert measured["output.ink"]["level"] == measured["output.confidence"]["level"] == "drifted"
    assert measured["output.digit"]["level"] == "steady"
    assert measured["output.ink"]["psi"] > measured["output.ink"]["chance"]

    def shown() -> bool:
        line = f'millrace_model_drift{{feature="output.ink",model="m",service="digit-recognition",version="{version}"}}'
        return line in gateways.second.http.get("/metrics").text

    wait(shown, "the gateways ask again after some seconds")


def test_inputs_are_measured_by_a_promoted_models_card(gateways: GatewayWorld) -> None:
    """A model in S3 is held against its own card there, also in the fields of its input; one without a reference is left alone."""
    service = f"loan-{secrets.token_hex(4)}"
    versions = []
    for number in range(2):
        files = {"model.json": secrets.token_hex(32)}
        card: dict[str, Any] = {
            "name": "m", "version": version_of(files), "dataset": "bank@1", "licence": "CC0", "files": files, "metrics": {},
        }  # fmt: skip
        if number == 0:
            features = {
                "input.age": described([20.0 + one % 40 for one in range(1000)]),
                "input.job": listed(["a", "b"] * 500),
            }
            card["reference"] = {"of": 1000, "features": features}
        versions.append(card["version"])
        gateways.loop(
            gateways.connections.store.write(f"{prefix_of(service, card['version'])}/{CARD}", json.dumps(card).encode())
        )
    events = []
    for number in range(400):
        given = {"age": 20 + number % 40, "job": "pilot" if number % 2 else "a"}
        events += story(service, versions[number % 2], given, {"appetence": 0.5})
    met(gateways, events)
    measured = drift(gateways, service=service)
    assert {measure["model_version"] for measure in measured.values()} == {versions[0]}
    assert measured["input.job"]["predictions"] == 200
    assert measured["input.job"]["level"] == "drifted"


@pytest.mark.parametrize("query", [{"service": "nobody"}, {"model_version": "000000000000"}])
def test_an_unknown_service_or_version_has_no_drift(gateways: GatewayWorld, query: dict[str, str]) -> None:
    """An unknown service or version has no drift; it is not an error."""
    assert drift(gateways, **query) == {}
