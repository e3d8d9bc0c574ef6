"""The operator's own detector over HTTP: a picture in, its objects out; wrong labels are said; the catalogue names it."""

from io import BytesIO

import numpy as np
from PIL import Image

from agents.objects.description import read
from tests.acceptance.system import System
from tests.detectors.shapes import LABELS, Scene, scene
from training.faces.match import overlap


def _scene() -> Scene:
    """A drawing with one shape of each kind, as a phone would send it."""
    random = np.random.default_rng(8)
    while True:
        made = scene(random, 240, 200)
        if {label for label, _ in made.objects} == set(LABELS) and len(made.objects) == len(LABELS):
            return made


def _file(one: Scene) -> bytes:
    out = BytesIO()
    Image.fromarray(one.pixels).save(out, "JPEG", quality=92)
    return out.getvalue()


def test_objects_are_found_over_http(system: System) -> None:
    """One call gives each object with its label, place and score, and the detector's name and version."""
    one = _scene()
    run = system.submit("object-detect", kind="services", files={"image": ("drawing.jpg", _file(one))})
    output = system.output(run)
    found = {received["label"]: received["area"] for received in output["objects"]}
    assert len(output["objects"]) == len(found) == len(one.objects)
    for label, (left, top, right, bottom) in one.objects:
        area = found[label]
        box = area["x"], area["y"], area["width"], area["height"]
        assert overlap(box, (left, top, right - left, bottom - top)) > 0.5, label
    about = read(system.stack.home / "detector" / "detector.json")
    assert (output["model"], output["model_version"]) == (about.name, about.version)


def test_labels_over_http(system: System) -> None:
    """Only the labels that are asked for are told; one that the detector does not know ends the run with a hint."""
    data = _file(_scene())
    run = system.submit(
        "object-detect", kind="services", files={"image": ("a.jpg", data)}, data={"labels": '["triangle"]'}
    )
    assert [received["label"] for received in system.output(run)["objects"]] == ["triangle"]
    wrong = system.submit(
        "object-detect", kind="services", files={"image": ("a.jpg", data)}, data={"labels": '["dics"]'}
    )
    received = system.follow(wrong)
    assert received[-1].name == "run.failed"
    assert not [one for one in received if one.name == "node.retrying"]
    assert "did you mean disc?" in str(received[-1].data)


def test_the_catalogue_names_the_detector(system: System) -> None:
    """Who looks at the service sees which detector serves, and that nothing is wrong with it."""
    about = read(system.stack.home / "detector" / "detector.json")
    with system.http as http:
        said = http.get("/services/object-detect").json()
    assert (said["model"], said["model_version"]) == (about.name, about.version)
    assert said["problem"] is None
