"""Every pipeline that is shipped and every service alone, called the way their own documents say, with results looked at."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from tests.acceptance import pictures
from tests.acceptance.sse import check_order
from tests.acceptance.system import System
from tests.integration.support.eventually import eventually

AREA = {"x": 180, "y": 70, "width": 90, "height": 90}
Check = Callable[[System, Any], None]


def image(system: System, given: Any, format: str, size: tuple[int, int]) -> Image.Image:
    """The picture behind an output, which must be of this format and size."""
    answer = system.object(given)
    assert answer.headers["content-type"] == f"image/{format}"
    found = pictures.opened(answer.content)
    assert (found.format, found.size) == (format.upper(), size)
    return found


def picture(format: str, size: tuple[int, int]) -> Check:
    """A check that the output is one picture of this format and size."""

    def check(system: System, output: Any) -> None:
        image(system, output["image"], format, size)

    return check


def a_face(found: Any) -> None:
    """Whether one of the faces is the astronaut's."""
    assert any(
        one["area"]["x"] <= pictures.NOSE[0] < one["area"]["x"] + one["area"]["width"]
        and one["area"]["y"] <= pictures.NOSE[1] < one["area"]["y"] + one["area"]["height"]
        for one in found
    )


def greyscale(system: System, output: Any) -> None:
    """Grey, and as light as before."""
    found = pictures.pixels(image(system, output["image"], "png", (512, 512)))
    assert np.ptp(found, axis=2).max() == 0
    grey = pictures.pixels(pictures.opened(pictures.astronaut()).convert("L"))
    assert np.abs(found - grey).mean() < 2


def analyzed(system: System, output: Any) -> None:
    """What Pillow says too."""
    assert (output["format"], output["mode"], output["width"], output["height"]) == ("png", "RGB", 512, 512)
    assert output["bytes"] == len(pictures.astronaut())
    assert output["dominant_colours"]


def cropped(system: System, output: Any) -> None:
    """The very pixels of the area."""
    (given,) = output["images"]
    found = pictures.pixels(image(system, given, "png", (90, 90)))
    assert np.array_equal(found, pictures.pixels(pictures.opened(pictures.astronaut()))[70:160, 180:270])


def traits(system: System, output: Any) -> None:
    """A face with its estimates, and which model says so."""
    a_face(output["faces"])
    assert {"gender", "emotion", "smile", "sharpness", "brightness"} <= output["faces"][0].keys()
    assert output["model"]
    assert output["model_version"]


def thumbnails(system: System, output: Any) -> None:
    """Squares of the wanted size."""
    assert output["thumbnails"]
    for given in output["thumbnails"]:
        image(system, given, "png", (64, 64))


def detected(system: System, output: Any) -> None:
    """The face, and which model found it."""
    a_face(output["faces"])
    assert output["model"]


CASES: Mapping[str, tuple[str, dict[str, Any], Check]] = {
    "face-blur": ("photo", {}, picture("png", (512, 512))),
    "blur-women": ("photo", {}, picture("png", (512, 512))),
    "describe-faces": ("photo", {}, traits),
    "face-thumbnail": ("photo", {"size": 64}, thumbnails),
    "to-jpg": ("photo", {}, picture("jpeg", (512, 512))),
    "face-analyze": ("image", {}, traits),
    "face-detect": ("image", {"min_score": 0.5}, detected),
    "image-analyze": ("image", {}, analyzed),
    "image-blur": (
        "image",
        {"areas": [AREA]},
        picture("png", (512, 512)),
    ),
    "image-convert": (
        "image",
        {"format": "webp"},
        picture("webp", (512, 512)),
    ),
    "image-crop": ("image", {"areas": [AREA]}, cropped),
    "image-greyscale": ("image", {}, greyscale),
    "image-resize": (
        "image",
        {"width": 100},
        picture("png", (100, 100)),
    ),
}
"""Pipeline → its image input, its other inputs, and what its output must be for the astronaut."""


def test_every_pipeline_there_is_gives_its_result(system: System) -> None:
    """All pipelines, shipped and automatic, take a file in a form and give what their names say; none is left out here."""
    with system.http as http:
        listed = {one["name"]: one for one in http.get("/pipelines").json()["pipelines"]}
        services = {one["name"] for one in http.get("/services").json()["services"]}
    shipped = {name for name, one in listed.items() if one["owner"] == "git"}
    # test_http_nodes, test_http_digits, test_http_objects, test_http_cells, test_loan, test_retraining and test_notices:
    # they want no astronaut
    elsewhere = {"http-call", "digit-recognition", "object-detect", "digit-train", "notify"}
    elsewhere |= {"cell-preprocess", "cell-classify", "classify-cell", "cell-train"}
    elsewhere |= {"loan-appetence", "loan-train"}
    assert shipped == CASES.keys() | elsewhere
    assert services == {name for name, one in listed.items() if one["automatic"]}
    runs = {
        name: system.submit(name, files={field: ("a.png", pictures.astronaut())}, data={"data": json.dumps(more)})
        for name, (field, more, _) in CASES.items()
    }
    for name, run in runs.items():
        received = system.follow(run)
        check_order(received)
        assert received[-1].name == "run.finished", (name, received[-1].data)
        CASES[name][2](system, received[-1].data["output"])


def test_a_service_alone_takes_json_with_the_image_inside(system: System) -> None:
    """`/services/{name}/runs` takes a data URL, and then the ref of what was stored, as well as a form."""
    url = "data:image/png;base64," + base64.b64encode(pictures.small()).decode()
    first = system.submit("image-greyscale", kind="services", json={"image": url})
    grey = system.output(first)["image"]
    second = system.submit("image-resize", kind="services", json={"image": grey["ref"], "width": 24})
    image(system, system.output(second)["image"], "png", (24, 16))


PLAN = """
pipeline: acceptance-gallery
summary: Small versions of several photos, each grey when it is wanted
input:
  photos: [image]
  grey: {type: bool, default: false}
nodes:
  each_photo:
    each: {photo: "${photos}"}
    nodes:
      small: {service: image-resize, with: {image: "${photo}", width: 16}}
      plain: {service: image-greyscale, when: grey, with: {image: "${small.image}"}}
    output: "${first(plain.image, small.image)}"
output: {photos: "${each_photo}"}
"""


def test_a_pipeline_put_over_http_runs_at_once(system: System) -> None:
    """A definition is taken, drawn, run with an image list and a condition, and removed; a wrong one names every problem."""
    headers = {"content-type": "application/yaml"}
    with system.http as http:
        wrong = PLAN.replace("width: 16", "wide: 16").replace("image-greyscale", "image-grayscale")
        answer = http.put("/pipelines/acceptance-gallery", content=wrong, headers=headers)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        errors = answer.json()["errors"]
        assert {one["line"] for one in errors} == {11, 12}, errors
        assert all(one["where"] and one["problem"] and one["hint"] for one in errors), errors
        answer = http.put("/pipelines/acceptance-gallery", content=PLAN, headers=headers)
        assert answer.status_code == 201, answer.text
        assert "small" in http.get("/pipelines/acceptance-gallery", params={"format": "mermaid"}).text
        photos = [("photos", (f"{n}.png", pictures.small((32, 32), n))) for n in (10, 60, 110)]
        for grey in ("false", "true"):
            output = system.output(system.submit("acceptance-gallery", files=photos, data={"grey": grey}))
            found = [image(system, given, "png", (16, 16)) for given in output["photos"]]
            reds = [pictures.pixels(one)[12, 12, 0] for one in found]
            assert reds == sorted(reds)
            assert len(set(reds)) == 3
            assert all((np.ptp(pictures.pixels(one), axis=2).max() == 0) is np.bool_(grey == "true") for one in found)
        assert http.delete("/pipelines/acceptance-gallery").status_code == 204
        eventually(lambda: http.get("/pipelines/acceptance-gallery").status_code == 404, 10)
