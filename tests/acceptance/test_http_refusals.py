"""What is wrong with a request is said as a problem document, with where it is and what to do; no run begins."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance import pictures
from tests.acceptance.sse import check_order
from tests.acceptance.system import System, problem

RUNS = "/pipelines/face-blur/runs"


def photo(data: bytes, name: str = "photo.jpg") -> dict[str, Any]:
    """A form with one picture."""
    return {"files": {"photo": (name, data, "image/jpeg")}}


@pytest.mark.parametrize(
    ("request_", "where", "said"),
    [
        (photo(b"I am no picture."), "photo", "no picture"),
        (photo(b"%PDF-1.7 a document"), "photo", "PDF"),
        (photo(b""), "photo", "empty"),
        (photo(pictures.from_camera()[:200]), "photo", "header cannot be read"),
        (photo(pictures.bomb()), "photo", "pixels"),
        (photo(b"\xff\xd8\xff\xe0" + bytes(26 * 1024 * 1024)), "photo", "bytes"),
        ({**photo(pictures.small()), "data": {"strength": "strong"}}, "strength", "JSON"),
        ({**photo(pictures.small()), "data": {"strength": "2"}}, "strength", "at most 1"),
        ({**photo(pictures.small()), "data": {"colour": "red"}}, "colour", "the inputs are: photo, strength"),
        ({"json": {"strength": 0.5}}, "photo", "missing"),
        ({"json": {"photo": "data:,", "strength": "strong"}}, "strength", "number"),
        ({"json": {"photo": "https://example.org/a.jpg"}}, "photo", "image"),
        ({"json": {"photo": "data:image/png;base64,%%%"}}, "photo", "base64"),
        (
            {"json": {"photo": {"bucket": "millrace", "key": "runs/x/y", "size": 1, "sha256": "0" * 64, "media_type": "image/png"}}},
            "photo",
            "",
        ),
    ],
    ids=[
        "not an image", "a document", "an empty file", "a file cut off in its header", "a bomb", "a large file", "no number",
        "out of range", "unknown field", "missing input", "wrong type", "an address", "broken base64", "an object nobody stored",
    ],
)  # fmt: skip
def test_an_input_that_does_not_fit_is_refused(system: System, request_: dict[str, Any], where: str, said: str) -> None:
    """422, with the field, the problem and what to do."""
    with system.http as http:
        answer = http.post(RUNS, **request_)
    errors = problem(answer, 422)["errors"]
    found = [one for one in errors if one["where"].startswith(where)]
    assert found, errors
    assert said in found[0]["problem"] + found[0]["hint"], found


def test_all_that_is_wrong_is_said_at_once(system: System) -> None:
    """Three mistakes give three errors."""
    with system.http as http:
        answer = http.post(RUNS, json={"strength": "strong", "colour": "red"})
    assert {one["where"] for one in problem(answer, 422)["errors"]} == {"photo", "strength", "colour"}


def test_nothing_is_served_without_the_key(system: System) -> None:
    """No key and a wrong key are 401 on every kind of call; whether the system lives is told to anybody."""
    with httpx.Client(base_url=system.url) as stranger:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {system.key}"}):
            for answer in (
                stranger.get("/pipelines", headers=headers),
                stranger.post(RUNS, headers=headers, **photo(pictures.small())),
                stranger.get("/runs/00000000-0000-0000-0000-000000000000/events", headers=headers),
                stranger.get("/objects/millrace/x", headers=headers),
                stranger.delete("/pipelines/face-blur", headers=headers),
            ):
                assert "www-authenticate" in answer.headers
                problem(answer, 401)
        assert stranger.get("/health/live").status_code == 200


def test_missing_resources_are_404(system: System) -> None:
    """Unknown pipelines, services, runs and objects are 404, on every verb."""
    with system.http as http:
        near = problem(http.post("/pipelines/face-blurr/runs", **photo(pictures.small())), 404)
        assert "face-blurr" in near["detail"]
        for path in (
            "/pipelines/nothing",
            "/services/nothing",
            "/runs/00000000-0000-0000-0000-000000000000",
            "/runs/00000000-0000-0000-0000-000000000000/events",
            "/runs/no-uuid",
            "/objects/millrace/runs/x/y",
            "/objects/elsewhere/x",
            "/nowhere",
        ):
            problem(http.get(path), 404)
        problem(http.delete("/runs/00000000-0000-0000-0000-000000000000"), 404)


def test_other_forms_are_refused(system: System) -> None:
    """A media type that nobody takes is 415, broken JSON and broken forms are 400."""
    with system.http as http:
        problem(http.post(RUNS, content="photo", headers={"content-type": "text/plain"}), 415)
        problem(http.post(RUNS, content="{", headers={"content-type": "application/json"}), 400)
        problem(
            http.post(
                RUNS, content="--x\r\nno header\r\n", headers={"content-type": "multipart/form-data; boundary=x"}
            ),
            400,
        )
        problem(http.post(RUNS, content="--x", headers={"content-type": "multipart/form-data"}), 400)
        problem(http.put(RUNS), 405)


def test_a_huge_body_is_refused(system: System) -> None:
    """413: at once where the length is said, and as soon as it is too much where it is not."""

    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield bytes(1024 * 1024)

    with system.http as http:
        announced = http.post(
            RUNS,
            content=endless(),
            headers={"content-type": "application/json", "content-length": str(200 * 1024 * 1024)},
        )
        problem(announced, 413)
    with system.http as http:
        problem(http.post(RUNS, content=endless(), headers={"content-type": "application/json"}), 413)
    with system.http as http:
        assert http.get("/health/ready").status_code == 200


@pytest.mark.parametrize("data", [pictures.corrupt(), pictures.from_camera()[:20_000]], ids=["noise", "cut off"])
def test_a_picture_that_cannot_be_decoded_fails_its_run(system: System, data: bytes) -> None:
    """What only decoding shows fails the run with the reason, the node and the path, and is not tried again."""
    run = system.submit("face-blur", **photo(data))
    received = system.follow(run)
    check_order(received)
    last = received[-1]
    assert last.name == "run.failed"
    (failed,) = [one for one in received if one.name == "node.failed"]
    assert (failed.data["node"], failed.data["path"], failed.data["attempt"]) == ("detect", "detect", 1)
    assert "node.retrying" not in {one.name for one in received}
    assert last.data["reason"] == failed.data["reason"]
    assert (last.data["where"], last.data["fault"]) == ("detect", "caller")
    assert "damaged" in last.data["reason"]
    assert last.data["hint"]
    with system.http as http:
        document = problem(http.get(f"/runs/{run}/result"), 422)
    assert last.data["reason"] in document["detail"]
