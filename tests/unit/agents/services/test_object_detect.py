"""object-detect serves the detector that an operator describes: here one that these tests train on drawn shapes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from PIL import Image

from agents import discovery
from agents.imaging.picture import Picture
from agents.objects.description import read
from agents.objects.detector import Detector
from agents.objects.frame import tensor
from streams.service.errors import InvalidInput
from streams.service.model_status import summarise
from tests.detectors import export, folder
from tests.detectors.shapes import LABELS, Scene, scene
from tests.unit.agents.pictures import file, run
from training.faces.match import overlap


@pytest.fixture(scope="session")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The description of the trained detector."""
    return folder.shapes(tmp_path_factory.mktemp("detector"))


@pytest.fixture
def shapes(described: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service has the trained detector."""
    monkeypatch.setenv("MILLRACE_OBJECT_DETECTOR", str(described))
    return described


def _some(count: int, size: int) -> Scene:
    """A square scene with so many shapes, each of another kind."""
    random = np.random.default_rng(5)
    while True:
        drawn = scene(random, size, size)
        if len({label for label, _ in drawn.objects}) == len(drawn.objects) == count:
            return drawn


def _picture(drawn: Scene) -> bytes:
    return file(Image.fromarray(drawn.pixels))


def _hits(objects: Sequence[dict[str, Any]], drawn: Scene) -> int:
    """How many objects of a scene were told, with their label and half of their place, each once."""
    left = list(objects)
    for label, (x, y, right, bottom) in drawn.objects:
        for answer in left:
            area = answer["area"]
            box = area["x"], area["y"], area["width"], area["height"]
            if answer["label"] == label and overlap(box, (x, y, right - x, bottom - y)) >= 0.5:
                left.remove(answer)
                break
    return len(objects) - len(left)


@pytest.mark.slow
@pytest.mark.usefixtures("shapes")
@pytest.mark.parametrize(
    ("size", "recall", "precision"), [((64, 64), 0.92, 0.95), ((160, 110), 0.85, 0.9), ((300, 360), 0.9, 0.93)]
)
def test_drawn_shapes_are_found(size: tuple[int, int], recall: float, precision: float) -> None:
    """Shapes that the detector never saw are found where they are and called what they are, at any size and format."""
    random = np.random.default_rng(2024)
    hits = objects = detections = 0
    for _ in range(80):
        drawn = scene(random, *size)
        answers = run("object-detect", _picture(drawn)).output["objects"]
        hits, objects, detections = (
            hits + _hits(answers, drawn),
            objects + len(drawn.objects),
            detections + len(answers),
        )
    assert objects > 90
    assert hits / objects >= recall
    assert hits / detections >= precision


def test_the_answer(shapes: Path) -> None:
    """Objects come the surest first, inside the picture, with the detector's name and version."""
    drawn = _some(2, 200)
    said = run("object-detect", _picture(drawn), min_score=0.1).output
    scores = [answer["score"] for answer in said["objects"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) >= 2
    assert (said["model"], said["model_version"]) == ("shapes", read(shapes).version)
    for answer in said["objects"]:
        area = answer["area"]
        assert 0 <= area["x"] < area["x"] + area["width"] <= 200
        assert 0 <= area["y"] < area["y"] + area["height"] <= 200


@pytest.mark.usefixtures("shapes")
def test_less_of_it() -> None:
    """A higher bar and a choice of labels leave objects out."""
    drawn = _some(3, 96)
    everything = run("object-detect", _picture(drawn)).output["objects"]
    assert {answer["label"] for answer in everything} == set(LABELS)
    only = run("object-detect", _picture(drawn), labels=["disc"]).output["objects"]
    assert only == [answer for answer in everything if answer["label"] == "disc"]
    assert run("object-detect", _picture(drawn), labels=[]).output["objects"] == []
    assert run("object-detect", _picture(drawn), min_score=1).output["objects"] == []


@pytest.mark.usefixtures("shapes")
def test_a_label_that_it_does_not_know() -> None:
    """A wrong label is refused by its place in the list, with the one that comes near or all that there are."""
    picture = _picture(scene(np.random.default_rng(1)))
    with pytest.raises(InvalidInput, match="did you mean square") as refused:
        run("object-detect", picture, labels=["disc", "sqare"])
    assert refused.value.where == "labels[1]"
    with pytest.raises(InvalidInput, match="it knows disc, square, triangle"):
        run("object-detect", picture, labels=["elephant"])


def test_opencv_says_what_the_reference_says(described: Path) -> None:
    """The trained network gives in OpenCV what it gives in ONNX's own reference."""
    about = read(described)
    values, _ = tensor(Picture.decode(_picture(scene(np.random.default_rng(3)))), about.size, about.pixels)
    (wanted,) = ReferenceEvaluator(onnx.load(about.weights)).run(None, {"images": values})
    (output,) = Detector(about)._run(values).values()
    assert float(np.abs(output - np.asarray(wanted)).max()) < 1e-3


@pytest.mark.usefixtures("no_data")
def test_without_a_detector() -> None:
    """The catalogue says that there is none and how to describe one; a call is refused with that too."""
    service = discovery.load("object-detect")
    summary = summarise(service.model_status())
    assert summary.model is None
    assert "object-detect.md" in (summary.problem or "")
    with pytest.raises(InvalidInput, match="no detector is described here") as refused:
        run("object-detect", _picture(scene(np.random.default_rng(1))))
    assert "object-detect.md" in refused.value.hint


def test_a_detector_with_more_labels_than_were_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only an answer shows that a label is missing, the call is refused with that, and not tried again and again."""
    export.constant(tmp_path / "net.onnx", {"output0": np.array([[[1, 1, 9, 9, 0.9, 7]]], np.float32)})
    path = folder.describe(tmp_path, file="net.onnx", labels=["a", "b", "c"], size=32)
    monkeypatch.setenv("MILLRACE_OBJECT_DETECTOR", str(path))
    with pytest.raises(InvalidInput, match="reports label 7, and there are 3"):
        run("object-detect", _picture(scene(np.random.default_rng(1))))


def test_a_broken_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A description that fits no network is announced as it is, and refuses calls by the same words."""
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    path = folder.describe(tmp_path, file="net.onnx", labels=["a"], size=32)
    monkeypatch.setenv("MILLRACE_OBJECT_DETECTOR", str(path))
    assert "not a complete ONNX file" in discovery.load("object-detect").check()
    with pytest.raises(InvalidInput, match="not a complete ONNX file"):
        run("object-detect", _picture(scene(np.random.default_rng(1))))
