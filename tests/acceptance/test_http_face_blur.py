"""The main job: a photo goes in over HTTP and comes back with its faces blurred, live over SSE."""

from typing import Any

import numpy as np
from PIL import Image

from tests.acceptance import pictures
from tests.acceptance.sse import StreamEvent, check_order, events
from tests.acceptance.system import System


def blurred(system: System, name: str, data: bytes) -> tuple[list[StreamEvent], dict[str, Any], Image.Image]:
    """The events of one face-blur that answers with its own stream; the image it gives, and that image decoded."""
    with (
        system.http as http,
        http.stream(
            "POST",
            "/pipelines/face-blur/runs",
            files={"photo": (name, data)},
            headers={"accept": "text/event-stream"},
        ) as stream,
    ):
        assert stream.status_code == 200, stream.read()
        assert stream.headers["content-type"].startswith("text/event-stream")
        received = list(events(stream.iter_lines()))
        assert stream.headers["location"] == f"/runs/{received[0].data['run']}"
    assert received[-1].name == "run.finished", received[-1].data
    image = received[-1].data["output"]["image"]
    answer = system.object(image)
    assert answer.headers["content-type"] == image["ref"]["media_type"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.content) == image["ref"]["size"]
    assert pictures.sha256(answer.content) == image["ref"]["sha256"]
    return received, image, pictures.opened(answer.content)


def faces(received: list[StreamEvent]) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of every face that was found."""
    (found,) = [
        one.data["output"]["faces"] for one in received if one.name == "node.finished" and one.place == "detect"
    ]
    areas = [one["area"] for one in found]
    return [(a["x"], a["y"], a["x"] + a["width"], a["y"] + a["height"]) for a in areas]


def inside(box: tuple[int, int, int, int], point: tuple[int, int]) -> bool:
    """Whether a point lies in a box."""
    return box[0] <= point[0] < box[2] and box[1] <= point[1] < box[3]


def test_a_face_is_blurred_and_nothing_else(system: System) -> None:
    """Events come in order; the face loses its detail, and every pixel outside the found areas stays as it was."""
    data = pictures.astronaut()
    received, image, after = blurred(system, "astronaut.png", data)
    check_order(received)
    assert [(one.name, one.place) for one in received] == [
        ("run.accepted", ""),
        ("node.started", "detect"),
        ("node.finished", "detect"),
        ("node.started", "blur"),
        ("node.finished", "blur"),
        ("run.finished", ""),
    ]
    assert image["ref"]["media_type"] == "image/png"
    assert after.format == "PNG"
    assert after.size == (512, 512)
    boxes = faces(received)
    assert any(inside(box, pictures.NOSE) for box in boxes)
    before, now = pictures.pixels(pictures.opened(data)), pictures.pixels(after)
    outside = np.ones((512, 512), dtype=bool)
    for left, top, right, bottom in boxes:
        outside[top:bottom, left:right] = False
        was, became = before[top:bottom, left:right], now[top:bottom, left:right]
        assert pictures.sharpness(became) < 0.05 * pictures.sharpness(was)
        assert abs(became.mean() - was.mean()) < 10  # blurred, not painted over
    assert outside.mean() > 0.9
    assert np.array_equal(before[outside], now[outside])


def test_a_photo_from_a_camera_comes_back_upright_and_says_nothing(system: System) -> None:
    """A turned JPEG with GPS and maker comes back upright, without any metadata, and with the same face blurred."""
    received, image, after = blurred(system, "photo.jpg", pictures.from_camera())
    assert image["ref"]["media_type"] == "image/jpeg"
    assert after.format == "JPEG"
    assert after.size == (512, 512)
    assert not after.getexif()
    assert not {"exif", "xmp", "photoshop", "comment"} & after.info.keys()
    upright = pictures.pixels(pictures.opened(pictures.astronaut()))
    now = pictures.pixels(after)
    (box,) = [box for box in faces(received) if inside(box, pictures.NOSE)]
    left, top, right, bottom = box
    assert pictures.sharpness(now[top:bottom, left:right]) < 0.05 * pictures.sharpness(upright[top:bottom, left:right])
    away = np.abs(now[300:, :] - upright[300:, :])  # below every face
    assert away.mean() < 4  # what compressing it twice does


def test_events_read_later_equal_those_streamed(system: System) -> None:
    """State, result and a second reading of the events agree with the stream, node by node."""
    received, image, _ = blurred(system, "astronaut.png", pictures.astronaut())
    run = received[0].data["run"]
    assert system.follow(run) == received
    with system.http as http:
        state = http.get(f"/runs/{run}").json()
        result = http.get(f"/runs/{run}/result").json()
    assert (state["id"], state["pipeline"], state["status"]) == (run, "face-blur", "finished")
    assert {node["path"]: node["status"] for node in state["nodes"]} == {"detect": "finished", "blur": "finished"}
    assert result["output"] == state["output"] == {"image": image}


def test_a_caller_may_wait_for_the_result(system: System) -> None:
    """`Prefer: wait` answers 200 with the result itself."""
    with system.http as http:
        answer = http.post(
            "/pipelines/face-blur/runs",
            files={"photo": ("a.png", pictures.astronaut())},
            data={"strength": "0"},
            headers={"prefer": "wait=60"},
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "finished"
    given = pictures.opened(system.object(answer.json()["output"]["image"]).content)
    assert np.array_equal(pictures.pixels(given), pictures.pixels(pictures.opened(pictures.astronaut())))
