"""Models over HTTP, on a gateway in memory."""

from dataclasses import replace

import pytest

from schemas.contracts import load_contracts
from streams.models.champion import MODEL, VERSION
from streams.runtime.models.champions import RegisteredVersion
from tests.unit.gateway.memory.gateway import MemoryGateway

DIGITS = load_contracts()["digit-recognition"]


@pytest.fixture
def versions(gateway: MemoryGateway) -> list[RegisteredVersion]:
    """Two versions of one slot; the first one serves."""
    gateway.models.versions = [
        RegisteredVersion("digit-recognition", number, 0.0, number == 1, {MODEL: "digits", VERSION: f"{number}" * 12})
        for number in (1, 2)
    ]
    return gateway.models.versions


@pytest.mark.usefixtures("versions")
def test_versions_are_listed(gateway: MemoryGateway) -> None:
    """Of all slots and of one; 404 for a slot that nobody knows."""
    listed = gateway.http.get("/models").json()["models"]
    assert [(each["number"], each["champion"]) for each in listed] == [(1, True), (2, False)]
    detail = gateway.http.get("/models/digit-recognition").json()
    assert detail["versions"] == listed
    assert detail["trained_by"] is None
    assert gateway.http.get("/models/nothing").status_code == 404


@pytest.mark.usefixtures("versions")
def test_another_version_serves(gateway: MemoryGateway) -> None:
    """By its number or its bundle's version, and the shipped one again."""
    answer = gateway.http.put("/models/digit-recognition/champion", json={"version": "2"})
    assert (answer.status_code, answer.json()["number"], answer.json()["champion"]) == (200, 2, True)
    assert gateway.http.put("/models/digit-recognition/champion", json={"version": "1" * 12}).json()["number"] == 1
    removed = gateway.http.delete("/models/digit-recognition/champion").json()
    assert removed == {"slot": "digit-recognition", "champion": None, "changed": True}
    assert gateway.http.delete("/models/digit-recognition/champion").json()["changed"] is False


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("body", "status"), [({"version": "9"}, 404), ({"version": 2}, 422), ({"vresion": "2"}, 422), ([], 422)]
)
def test_a_wrong_version_is_refused(gateway: MemoryGateway, body: object, status: int) -> None:
    """404 for one that there is not, 422 for a body that names none."""
    assert gateway.http.put("/models/digit-recognition/champion", json=body).status_code == status


def test_another_model_is_trained(gateway: MemoryGateway) -> None:
    """By a run of the service that trains it; 404 where none is live."""
    refused = gateway.http.post("/models/digit-recognition/retrain", json={})
    assert (refused.status_code, refused.json()["type"]) == (404, "urn:millrace:not-found")
    trainer = replace(load_contracts()["digit-train"], name="digit-teach", trains="digit-recognition")
    gateway.announce(trainer)
    assert gateway.http.get("/models/digit-recognition").json()["trained_by"] == "digit-teach"
    accepted = gateway.http.post("/models/digit-recognition/retrain", json={"digits": [1, 7]})
    assert accepted.status_code == 202, accepted.text
    assert gateway.http.get(accepted.headers["location"]).json()["pipeline"] == "digit-teach"
