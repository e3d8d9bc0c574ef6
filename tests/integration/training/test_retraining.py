"""The whole way of a model over HTTP: ordered, trained, promoted, served without a dropped request, and taken back."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.digits.bundle import FOLDER, NAME
from streams.models import read
from tests.acceptance.command import CommandResult, millrace
from tests.integration.support.gateway_world import GatewayWorld, events, gateway_world, wait
from tests.integration.support.runtime_harness import ROOT
from tests.integration.support.trainer import Trainer, picture, trainer

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(850)]

HOSTED = ("flow", "recorder", "models", "digit-recognition", "digit-train")


@pytest.fixture(scope="module")
def gateways_with_trainer(trainer: Trainer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Two gateways, and a worker that reads digits, trains, and follows the registry of models."""
    folder = tmp_path_factory.mktemp("academy")
    with (
        gateway_world(dataclasses.replace(trainer.settings, workers=1), folder) as made,
        (folder / "log").open("wb") as out,
    ):
        worker = subprocess.Popen(
            [sys.executable, "-m", "agents", *HOSTED],
            cwd=ROOT, env={**os.environ, **made.settings.environ()}, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            for name in ("digit-recognition", "digit-train"):
                wait(lambda name=name: live(made, name), (folder / "log").read_text, 120)
            yield made
        finally:
            worker.send_signal(signal.SIGTERM)
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def live(world: GatewayWorld, name: str) -> dict[str, Any] | None:
    """What the catalogue says of a service that is live."""
    answer = world.first.http.get(f"/services/{name}")
    found: dict[str, Any] = answer.json()
    return found if answer.status_code == 200 else None


def serving(world: GatewayWorld, version: str) -> None:
    """Waits until this version is what the catalogue says that reads digits."""
    wait(
        lambda: (live(world, "digit-recognition") or {}).get("model_version") == version,
        lambda: live(world, "digit-recognition"),
        60,
    )


def read_digit(http: httpx.Client, digit: int) -> httpx.Response:
    """One request for a drawn digit, answered with its result."""
    return http.post(
        "/services/digit-recognition/runs",
        files={"image": ("d.png", picture(digit), "image/png")},
        headers={"prefer": "wait=60"},
        timeout=90,
    )


def test_a_model_is_ordered_promoted_and_taken_back(gateways_with_trainer: GatewayWorld, trainer: Trainer) -> None:
    """A model of 0 and 1 is ordered over HTTP and its epochs come as events. From the last one on somebody reads digits without a
    pause, while it is promoted, serves, and is taken back: every request is answered, by the version that it names.
    """
    world, shipped = gateways_with_trainer, read(FOLDER).version
    serving(world, shipped)
    answers: list[httpx.Response] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=world.second.http.base_url, headers=world.second.http.headers) as http:
            while not over.is_set():
                answers.append(read_digit(http, 1))

    asking = threading.Thread(target=ask)  # not earlier: the training takes what others leave it of the processor
    try:
        body = {"digits": [0, 1], "epochs": 2, "pictures": 1500, "fewer": True}
        headers = {"accept": "text/event-stream"}
        with world.first.http.stream(
            "POST", "/models/digit-recognition/retrain", json=body, headers=headers, timeout=300
        ) as stream:
            received = []
            for one in events(stream.iter_lines()):
                received.append(one)
                if one["event"] == "node.progress" and one["data"].get("done") == 1:
                    asking.start()
        assert received[-1]["event"] == "run.finished", received[-1]
        output = received[-1]["data"]["output"]
        assert output["promoted"], output["verdict"]
        figures = [
            one["data"]["figures"] for one in received if one["event"] == "node.progress" and "figures" in one["data"]
        ]
        assert [one["epoch"] for one in figures] == [1, 2]
        assert world.first.http.get(output["confusion"]["href"]).headers["content-type"] == "image/png"
        serving(world, output["version"])
        seven = read_digit(world.first.http, 7).json()["output"]
        assert (seven["model"], seven["model_version"]) == ("mnist_model_01", output["version"])
        assert seven["digit"] in (0, 1)
        before = len(answers)
        wait(lambda: len(answers) > before + 10, "more answers", 60)
        assert world.second.http.put("/models/digit-recognition/champion", json={"version": shipped}).status_code == 200
        serving(world, shipped)
        seven = read_digit(world.first.http, 7).json()["output"]
        assert (seven["digit"], seven["model"], seven["model_version"]) == (7, NAME, shipped)
    finally:
        over.set()
        asking.join(120)
    assert {one.status_code for one in answers} == {200}
    given = [one.json()["output"] for one in answers]
    assert {one["model_version"] for one in given} == {shipped, output["version"]}
    assert {one["digit"] for one in given} == {1}
    assert trainer.champion()["millrace.model"] == NAME


def test_a_list_of_digits_in_git_is_ordered_when_it_changes(
    gateways_with_trainer: GatewayWorld, trainer: Trainer, tmp_path: Path
) -> None:
    """What was ordered last is not ordered again; another list is, once; a mistake in the file is said."""
    world, file = gateways_with_trainer, tmp_path / "models.yaml"
    assert trainer.rows("select count(*) from model_versions") == [(2,)], "the test before has ordered a model"

    def asked(digits: str) -> CommandResult:
        file.write_text(f"digit-train: {{digits: {digits}, epochs: 2, pictures: 1500, fewer: true}}\n")
        more = {**world.settings.environ(), "MILLRACE_HTTP_PORT": world.first.url.rpartition(":")[2]}
        return millrace("models", "retrain", str(file), "--output", "json", home=world.settings.home, more=more)

    assert asked("[0, 1]").rows == [{"service": "digit-train", "run": None, "slot": "digit-recognition", "number": 2}]
    once, again = asked("[2, 3]"), asked("[2, 3]")
    assert (once.status, again.status) == (0, 0), once.err + again.err
    assert once.rows == again.rows
    (first,) = once.rows
    assert world.first.http.delete(f"/runs/{first['run']}").status_code == 202
    wait(
        lambda: world.first.http.get(f"/runs/{first['run']}").json()["status"] == "cancelled", "the end of the run", 60
    )
    wrong = asked("[2, 33]")
    assert wrong.status == 1
    assert "digits" in wrong.err
