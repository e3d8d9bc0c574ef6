"""Submitting runs and following them, on two gateways."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway_world import FINISHED, GREET, World, events, world
from streams.messages import Event, EventKind
from streams.settings import Settings


@pytest.fixture(scope="module")
def w(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two gateways with one pipeline."""
    home: Path = tmp_path_factory.mktemp("home")
    with world(settings, home) as made:
        answer = made.one.http.put("/pipelines/greet", content=GREET, headers={"content-type": "application/yaml"})
        assert answer.status_code == 201, answer.text
        yield made


def test_submit_on_one_and_follow_on_the_other(w: World) -> None:
    """A run accepted by one gateway is known to the other at once, and its events come there to the last one."""
    answer = w.one.http.post("/pipelines/greet/runs", json={"name": "Ada"})
    assert answer.status_code == 202, answer.text
    document = answer.json()
    run = w.run(document["id"])
    assert answer.headers["location"] == f"/runs/{run.id}"
    assert w.two.http.get(document["links"]["self"]).status_code == 200
    with w.two.http.stream("GET", document["links"]["events"]) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        seen = events(stream.iter_lines())
        first = next(seen)
        assert first["event"] == "run.accepted"
        assert first["data"]["run"] == run.id
        assert first["data"]["input"] == {"name": "Ada", "times": 1}
        w.tell(
            Event(run, EventKind.FINISHED, "hello", path="hello", data={"output": "hello Ada"}),
            Event(run, FINISHED, data={"output": {"text": "hello Ada"}}),
        )
        rest = list(seen)
    assert [one["event"] for one in rest] == ["node.finished", "run.finished"]
    assert rest[1]["data"]["output"] == {"text": "hello Ada"}
    assert first["id"] < rest[0]["id"] < rest[1]["id"]
    result = w.one.http.get(f"/runs/{run.id}/result")
    assert (result.status_code, result.json()["output"]) == (200, {"text": "hello Ada"})
