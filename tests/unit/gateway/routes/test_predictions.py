"""Predictions and their corrections over HTTP, on a gateway in memory."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.gateway.memory.gateway import MemoryGateway


def test_predictions_are_listed(gateway: MemoryGateway) -> None:
    """Newest first, page by page, filtered by what they are of and how sure they are."""
    now = datetime.now(UTC)
    ids = [
        gateway.predictions.add(model="listed", confidence=0.5 + number / 10, at=now + timedelta(seconds=number))
        for number in range(3)
    ]
    page = gateway.http.get("/predictions", params={"model": "listed", "limit": 2}).json()
    assert [row["id"] for row in page["predictions"]] == [ids[2], ids[1]]
    assert page["predictions"][0]["label"] == 3
    rest = gateway.http.get("/predictions", params={"model": "listed", "cursor": page["next"]}).json()
    assert ([row["id"] for row in rest["predictions"]], rest["next"]) == ([ids[0]], None)
    unsure = gateway.http.get("/predictions?model=listed&below=0.55").json()["predictions"]
    assert [row["id"] for row in unsure] == [ids[0]]
    assert gateway.http.get("/predictions?model=listed&corrected=true").json()["predictions"] == []
    for query in ("below=2", "limit=501", "cursor=zzz", "since=yesterday"):
        assert gateway.http.get(f"/predictions?{query}").status_code == 422, query


def test_a_prediction_is_corrected(gateway: MemoryGateway) -> None:
    """201, and 200 for what counts already; the newest correction counts, and each stays listed."""
    identity = gateway.predictions.add()
    place = f"/predictions/{identity}"
    corrected = gateway.http.post(f"{place}/corrections", json={"label": 7})
    assert (corrected.status_code, corrected.headers["location"]) == (201, place)
    assert gateway.http.post(f"{place}/corrections", json={"label": 7}).status_code == 200
    assert gateway.http.post(f"{place}/corrections", json={"label": 8}).status_code == 201
    document = gateway.http.get(place).json()
    assert document["correction"]["label"] == 8
    assert [(each["old"], each["new"]) for each in document["corrections"]] == [(3, 7), (7, 8)]


@pytest.mark.parametrize("body", [{"label": 12}, {"label": "seven"}, {"lable": 7}, [7], {}])
def test_a_wrong_correction_is_refused(gateway: MemoryGateway, body: object) -> None:
    """A label that the service could not have given, and a body that names none."""
    identity = gateway.predictions.add()
    answer = gateway.http.post(f"/predictions/{identity}/corrections", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "label")


def test_a_prediction_without_a_label_cannot_be_corrected(gateway: MemoryGateway) -> None:
    """Its service names no field of its output."""
    identity = gateway.predictions.add(service="unknown")
    assert gateway.http.get(f"/predictions/{identity}").json()["label"] is None
    assert gateway.http.post(f"/predictions/{identity}/corrections", json={"label": 7}).status_code == 422


@pytest.mark.parametrize("identity", ["nonsense", "0d9c1a2e-6f6b-4c52-9d0b-5a3e7f1c8b24"])
def test_an_unknown_prediction_is_404(gateway: MemoryGateway, identity: str) -> None:
    """Also one whose id cannot be one."""
    assert gateway.http.get(f"/predictions/{identity}").status_code == 404
    assert gateway.http.post(f"/predictions/{identity}/corrections", json={"label": 7}).status_code == 404


def test_drift(gateway: MemoryGateway) -> None:
    """The last measurements, of one service or of all."""
    measured = {
        "service": "digit-recognition",
        "feature": "output.confidence",
        "psi": 0.2,
        "measured_at": datetime.now(UTC),
    }
    gateway.predictions.drifts = [measured]
    (drift,) = gateway.http.get("/predictions/drift").json()["drift"]
    assert (drift["feature"], drift["psi"]) == ("output.confidence", 0.2)
    assert gateway.http.get("/predictions/drift?service=other").json()["drift"] == []
