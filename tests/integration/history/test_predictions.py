"""Predictions and corrections: written with the events, listed and corrected over HTTP."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from streams.messages import Event, EventKind, Run, message_id
from streams.runtime.history import tables as history
from streams.runtime.history.folding import LoggedEvent
from streams.runtime.history.recorder import record
from streams.wire.codec import SentEvent
from streams.wire.records import Place
from tests.integration.support.gateway_world import GatewayWorld

VERSION = "0123456789ab"


def finished(run: str, digit: int, sure: float, version: str = VERSION, service: str = "digit-recognition") -> Event:
    """The event of a digit that was read."""
    output = {"digit": digit, "confidence": sure, "model": "mnist_model", "model_version": version}
    about = {"id": message_id(run, "node.ended", "read", ()), "service": service, "input": "c" * 64}
    data = {"output": output, "prediction": about}
    return Event(Run(run, "digits", "d" * 64, 2e9), EventKind.FINISHED, "read", (), "read", 1, data)


@dataclass
class HistoryWriter:
    """Writes events into the gateways' history as the recorder does."""

    world: GatewayWorld
    offset: int = 0

    def write(self, *events: Event) -> list[str]:
        """One batch; the ids of the events."""

        async def main() -> list[str]:
            batch = []
            for event in events:
                self.offset += 1
                batch.append(
                    LoggedEvent(SentEvent(event, event.id, 1.6e9 + self.offset), Place("run.events", 7), self.offset)
                )
            async with await psycopg.AsyncConnection.connect(self.world.settings.postgres, autocommit=True) as link:
                await history.ensure(link)
                await record(link, batch)
            return [event.id for event in events]

        return asyncio.run(main())


@pytest.fixture(scope="module")
def history_writer(gateways: GatewayWorld) -> HistoryWriter:
    """The history of the two gateways."""
    return HistoryWriter(gateways)


def run() -> str:
    """A run's id."""
    return str(uuid.uuid4())


def test_a_prediction_is_written_once(gateways: GatewayWorld, history_writer: HistoryWriter) -> None:
    """However often its event is delivered, also after a restart in another batch, there is one row with all it said."""
    event = finished(run(), 8, 0.75)
    (identity,) = history_writer.write(event)
    history_writer.write(event)
    history_writer.write(event, event)
    answer = gateways.first.http.get("/predictions", params={"run": event.run.id})
    (prediction,) = answer.json()["predictions"]
    assert (prediction["id"], prediction["service"], prediction["label"], prediction["confidence"]) == (
        identity,
        "digit-recognition",
        8,
        0.75,
    )
    assert (prediction["model"], prediction["model_version"], prediction["input"]) == ("mnist_model", VERSION, "c" * 64)
    assert prediction["correction"] is None
    whole = gateways.second.http.get(prediction["links"]["self"]).json()
    assert whole["output"] == event.data["output"]
    assert whole["corrections"] == []


def test_a_list_in_the_output_is_one_prediction(gateways: GatewayWorld, history_writer: HistoryWriter) -> None:
    """A service that describes several things gives one row, with its whole output and without a label."""
    event = finished(run(), 1, 0.5, service="face-analyze")
    faces = [{"gender": "woman"}, {"gender": "man"}]
    event.data["output"].update({"faces": faces})
    (identity,) = history_writer.write(event)
    prediction = gateways.first.http.get(f"/predictions/{identity}").json()
    assert prediction["output"]["faces"] == faces
    assert prediction["label"] is None
    refused = gateways.first.http.post(f"/predictions/{identity}/corrections", json={"label": "man"})
    assert refused.status_code == 422
    assert "face-analyze" in refused.json()["detail"]


def test_they_are_filtered_and_paged(gateways: GatewayWorld, history_writer: HistoryWriter) -> None:
    """Each filter takes what it says, and pages follow each other without a gap or a repeat."""
    version, http = run()[:12], gateways.first.http
    written = history_writer.write(*(finished(run(), number, number / 10, version) for number in range(10)))

    def found(**query: Any) -> list[str]:
        return [
            prediction["id"]
            for prediction in http.get("/predictions", params={"model_version": version, **query}).json()["predictions"]
        ]

    assert found() == written[::-1]
    assert found(below=0.35) == written[3::-1]
    assert found(service="cell-classify") == []
    assert http.post(f"/predictions/{written[4]}/corrections", json={"label": 9}).status_code == 201
    assert found(corrected=True) == [written[4]]
    assert len(found(corrected=False)) == 9
    seen: list[str] = []
    query: dict[str, str] = {"model_version": version, "limit": "4"}
    while True:
        page = http.get("/predictions", params=query).json()
        seen += [prediction["id"] for prediction in page["predictions"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == written[::-1]
    assert http.get("/predictions", params={"cursor": "nonsense"}).status_code == 422


def test_the_last_correction_counts_and_all_are_kept(gateways: GatewayWorld, history_writer: HistoryWriter) -> None:
    """A second correction replaces the first; each says who, when, from what and to what. The same one again changes nothing."""
    (identity,) = history_writer.write(finished(run(), 1, 0.4))
    place, http = f"/predictions/{identity}/corrections", gateways.first.http
    first = http.post(place, json={"label": 7})
    assert first.status_code == 201
    assert first.json()["correction"]["label"] == 7
    assert http.post(place, json={"label": 4}).status_code == 201
    again = gateways.second.http.post(place, json={"label": 4})
    assert again.status_code == 200
    history = again.json()["corrections"]
    assert [(correction["by"], correction["old"], correction["new"]) for correction in history] == [
        ("local", 1, 7),
        ("local", 7, 4),
    ]
    assert history[0]["at"] <= history[1]["at"]
    assert again.json()["label"] == 1, "what the model said stays"


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"label": 10}, 422, "9"),
        ({"label": "seven"}, 422, "from 0 to 9"),
        ({"label": None}, 422, "from 0 to 9"),
        ({"digit": 7}, 422, "label"),
        ([7], 422, "label"),
    ],
)
def test_a_wrong_label_is_refused(
    gateways: GatewayWorld, history_writer: HistoryWriter, body: Any, status: int, reason: str
) -> None:
    """What the service could never have said is a problem that says what it could."""
    (identity,) = history_writer.write(finished(run(), 1, 0.4))
    answer = gateways.first.http.post(f"/predictions/{identity}/corrections", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert reason in answer.text
    assert gateways.first.http.get(f"/predictions/{identity}").json()["corrections"] == []


def test_an_unknown_prediction_is_not_found(gateways: GatewayWorld) -> None:
    """An invalid id and an unknown one are both 404."""
    for identity in ("nothing", str(uuid.uuid4())):
        assert gateways.first.http.get(f"/predictions/{identity}").status_code == 404
        assert gateways.first.http.post(f"/predictions/{identity}/corrections", json={"label": 1}).status_code == 404
