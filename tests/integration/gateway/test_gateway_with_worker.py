"""The gateway with everything behind it: flow, recorder and a service's workers as processes of their own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from streams.settings import Settings
from tests.integration.support.gateway_world import GatewayWorld, events, gateway_world, png, wait

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def world(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Two gateways, and one worker process that hosts flow, recorder, image-greyscale, and services that talk."""
    folder = tmp_path_factory.mktemp("gateways")
    with gateway_world(settings, folder) as made, (folder / "worker.log").open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "agents", "flow", "recorder", "image-greyscale", "tests.integration.support.progress_services"],
            cwd=ROOT, env={**os.environ, **made.settings.environ()}, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            log = folder / "worker.log"
            wait(
                lambda: "agents: ready" in log.read_text(errors="replace") or worker.poll() is not None,
                lambda: log.read_text()[-3000:],
                90,
            )
            wait(lambda: made.first.http.get("/services/image-greyscale").status_code == 200, "the service is live")
            yield made
        finally:
            worker.send_signal(signal.SIGTERM)
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def test_a_photo_goes_in_and_a_grey_one_comes_out(world: GatewayWorld) -> None:
    """A photo is sent as a part, its events come on the other gateway to the end, and the result can be fetched."""
    answer = world.first.http.post("/services/image-greyscale/runs", files={"image": ("p.png", png(30, 20, 99))})
    assert answer.status_code == 202, answer.text
    run = answer.json()["id"]
    with world.second.http.stream("GET", f"/runs/{run}/events") as stream:
        received = [one for one in events(stream.iter_lines()) if one["event"] != "ping"]
    assert [one["event"] for one in received] == ["run.accepted", "node.started", "node.finished", "run.finished"]
    assert received[1]["data"]["service"] == "image-greyscale"
    image = received[-1]["data"]["output"]["image"]
    fetched = world.second.http.get(image["href"])
    assert fetched.headers["content-type"].startswith("image/")
    assert fetched.headers["etag"] == f'"{image["ref"]["sha256"]}"'
    detail = world.first.http.get(f"/runs/{run}").json()
    assert (detail["status"], detail["pipeline"], detail["counts"]) == ("finished", "image-greyscale", {"finished": 1})
    again = world.first.http.post(
        "/services/image-greyscale/runs", json={"image": image}, headers={"prefer": "wait=20"}
    )
    assert (again.status_code, again.json()["status"]) == (200, "finished")


def test_a_connected_client_receives_every_event_once(world: GatewayWorld) -> None:
    """Events on the submission itself: whole though the gateway asked nobody what came before, and the same as later."""
    headers, files = {"accept": "text/event-stream"}, {"image": ("p.png", png(12, 8, 7))}
    with world.first.http.stream("POST", "/services/image-greyscale/runs", files=files, headers=headers) as stream:
        received = [one for one in events(stream.iter_lines()) if one["event"] != "ping"]
        place = stream.headers["location"]
    assert [one["event"] for one in received] == ["run.accepted", "node.started", "node.finished", "run.finished"]
    with world.second.http.stream("GET", f"{place}/events") as stream:
        assert [one for one in events(stream.iter_lines()) if one["event"] != "ping"] == received


def test_the_history_has_it_with_the_same_ids(world: GatewayWorld) -> None:
    """What the recorder wrote gives the same stream as the log did: ids, times, values."""
    done = world.first.http.post(
        "/services/image-greyscale/runs", files={"image": ("p", png(9, 9))}, headers={"prefer": "wait=20"}
    )
    assert done.status_code == 200, done.text
    run = done.json()["id"]

    def listed() -> bool:
        page = world.first.http.get("/runs", params={"pipeline": "image-greyscale", "status": "finished"}).json()
        return run in {one["id"] for one in page["runs"]}

    wait(listed, "the history has the run")
    before = list(events(iter(world.second.http.get(f"/runs/{run}/events").text.split("\n"))))
    assert len(before) == 4
    index = world.second.app.components.following.cache
    held = index.get(run)
    assert held is not None
    index._forget(held)
    assert list(events(iter(world.second.http.get(f"/runs/{run}/events").text.split("\n")))) == before
    assert world.second.http.get(f"/runs/{run}").json()["counts"] == {"finished": 1}
    figures = world.first.http.get("/metrics").text
    assert re.search(r'millrace_runs\{pipeline="image-greyscale",status="finished"\} [1-9]', figures)


def test_a_pipeline_defined_over_http_runs_at_once(world: GatewayWorld) -> None:
    """A pipeline that was just defined runs: flow and workers hear of it by themselves."""
    text = """
pipeline: twice-grey
input: {photos: [image], note: string}
nodes:
  each_one:
    each: {photo: "${photos}"}
    nodes: {grey: {service: image-greyscale, with: {image: "${photo}"}}}
    output: "${grey.image}"
output: {images: "${each_one}", note: "${note}"}
"""
    made = world.first.http.put("/pipelines/twice-grey", content=text, headers={"content-type": "application/yaml"})
    assert made.status_code == 201, made.text
    files: list[tuple[str, Any]] = [
        ("photos", ("a", png(8, 8, 1))),
        ("photos", ("b", png(8, 8, 2))),
        ("note", (None, "zwei")),
    ]
    answer = world.first.http.post("/pipelines/twice-grey/runs", files=files, headers={"prefer": "wait=30"})
    assert answer.status_code == 200, answer.text
    output = answer.json()["output"]
    assert (len(output["images"]), output["note"]) == (2, "zwei")
    assert all(world.second.http.get(image["href"]).status_code == 200 for image in output["images"])


def test_an_input_that_a_service_cannot_serve(world: GatewayWorld) -> None:
    """A failure that is the caller's fault comes back as a 422 that says where and why."""
    broken = png(300, 300, 7)[:-60]  # its header is good, its pixels break off
    answer = world.first.http.post(
        "/services/image-greyscale/runs", files={"image": ("p", broken)}, headers={"prefer": "wait=20"}
    )
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:millrace:run-refused"), answer.text
    assert answer.json()["errors"][0]["problem"]


def test_a_run_that_is_too_late(world: GatewayWorld) -> None:
    """A run that does not end before its deadline, here for want of a worker, is a timeout."""
    text = """
pipeline: late-grey
timeout: 2s
input: {photo: image}
nodes: {grey: {service: image-blur, with: {image: "${photo}", areas: []}}}
output: {image: "${grey.image}"}
"""
    made = world.first.http.put("/pipelines/late-grey", content=text, headers={"content-type": "application/yaml"})
    assert made.status_code == 201, made.text
    answer = world.first.http.post(
        "/pipelines/late-grey/runs", files={"photo": ("p", png(5, 5))}, headers={"prefer": "wait=30"}
    )
    assert (answer.status_code, answer.json()["type"]) == (504, "urn:millrace:run-late"), answer.text


def test_a_run_can_be_cancelled(world: GatewayWorld) -> None:
    """A run that waits for a service without workers says so, can be cancelled, and then is over."""
    text = """
pipeline: waiting-blur
input: {photo: image}
nodes: {blur: {service: image-blur, with: {image: "${photo}", areas: []}}}
output: {image: "${blur.image}"}
"""
    assert (
        world.first.http.put("/pipelines/waiting-blur", content=text, headers={"content-type": "text/yaml"}).status_code
        == 201
    )
    run = world.first.http.post("/pipelines/waiting-blur/runs", files={"photo": ("p", png(5, 5))}).json()["id"]
    path = f"/runs/{run}"
    wait(
        lambda: world.second.http.get(path).json()["status"] == "waiting", lambda: world.second.http.get(path).text, 60
    )
    assert world.second.http.get(f"/runs/{run}").json()["waiting_for"] == "image-blur"
    assert world.second.http.delete(f"/runs/{run}").status_code == 202
    wait(lambda: world.first.http.get(f"/runs/{run}").json()["status"] == "cancelled", "the run is cancelled")
    assert world.first.http.delete(f"/runs/{run}").status_code == 409
    assert world.first.http.get(f"/runs/{run}/result").json()["type"] == "urn:millrace:run-cancelled"


def test_progress_is_streamed_and_kept(world: GatewayWorld) -> None:
    """What a service says of its progress comes over SSE in its place, and is in the history as it was streamed."""
    answer = world.first.http.post("/services/talk/runs", json={"times": 500})
    assert answer.status_code == 202, answer.text
    run = answer.json()["id"]
    with world.second.http.stream("GET", f"/runs/{run}/events") as stream:
        received = [one for one in events(stream.iter_lines()) if one["event"] != "ping"]
    names = [one["event"] for one in received]
    said = names.count("node.progress")
    assert names == ["run.accepted", "node.started", *["node.progress"] * said, "node.finished", "run.finished"]
    last = received[-3]["data"]
    assert (last["text"], last["done"], last["figures"], last["number"]) == ("step 500", 1.0, {"step": 500}, 500)
    assert (last["node"], last["path"], last["service"]) == ("call", "call", "talk")
    with psycopg.connect(world.settings.postgres) as history:

        def kept() -> list[tuple[int, str]]:
            query = "select sequence, kind from events where run = %s order by sequence"
            return history.execute(query, [run]).fetchall()

        wait(lambda: len(kept()) == len(received), "the history is complete")
        assert kept() == [(one["id"], one["event"]) for one in received]
