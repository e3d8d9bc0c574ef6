"""Each layout of outputs gives the same objects, through a real network; what does not fit is said."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from PIL import Image

from agents.imaging.area import Area
from agents.imaging.picture import Picture
from agents.objects.description import BadDescription, read
from agents.objects.detector import Detector, Found
from agents.objects.words import Layout
from tests.detectors.export import constant
from tests.detectors.folder import describe
from tests.detectors.modern import modern
from tests.unit.agents.pictures import file

Array = NDArray[Any]

LABELS = ("cat", "dog", "cow")

COUNT = 9
# Three objects in an input of 32 x 32: a cat, a dog over nearly the same place, the dog again, less sure; and nothing.
EDGES = np.zeros((COUNT, 4), np.float32)
EDGES[:3] = [[4, 8, 12, 24], [5, 8, 13, 24], [4, 8, 13, 24]]
SCORES = np.full((COUNT, 3), 0.01, np.float32)
SCORES[:3] = [[0.9, 0.1, 0.0], [0.1, 0.8, 0.0], [0.0, 0.7, 0.1]]
BEST, NUMBERS = SCORES.max(axis=1), SCORES.argmax(axis=1).astype(np.float32)

CAT, DOG = Area(x=8, y=16, width=16, height=32), Area(x=10, y=16, width=16, height=32)
WANTED = (Found("cat", CAT, 0.9), Found("dog", DOG, 0.8))
AGAIN = Found("dog", Area(x=8, y=16, width=18, height=32), 0.7)
"""What stays where nothing is taken out after the network."""


def _centres() -> Array:
    left, top, right, bottom = EDGES.T
    return np.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], axis=1)


def _sides(*columns: Array) -> Array:
    return np.concatenate([column.reshape(len(EDGES), -1) for column in columns], axis=1)


NOTHING = np.full((COUNT, 1), 0.001, np.float32)
ZERO = np.zeros(COUNT, np.float32)
SURE = np.full(COUNT, 0.5, np.float32)
LOGITS = np.log(_sides(SCORES, 1 - SCORES.sum(axis=1) + 1e-3) + 1e-9)

CASES: dict[str, tuple[Layout, dict[str, Array], dict[str, Any], bool]] = {
    "yolo": (Layout.YOLO, {"output0": _sides(_centres(), SCORES).T[None]}, {}, False),
    "yolo, a row each": (Layout.YOLO, {"output0": _sides(_centres(), SCORES)[None]}, {"layout": "yolo"}, False),
    "yolo in fractions": (
        Layout.YOLO,
        {"output0": _sides(_centres() / 32, SCORES).T[None]},
        {"unit": "fraction"},
        False,
    ),
    "yolo-objectness": (Layout.YOLO_OBJECTNESS, {"output": _sides(_centres(), SURE, SCORES * 2)[None]}, {}, False),
    "yolo-objectness beside its raw heads": (
        Layout.YOLO_OBJECTNESS,
        {"output": _sides(_centres(), SURE, SCORES * 2)[None], "head": np.zeros((1, 3, 4, 4, 8), np.float32)},
        {},
        False,
    ),
    "rows": (Layout.ROWS, {"output0": _sides(EDGES, BEST, NUMBERS)[None]}, {}, True),
    "detections": (Layout.DETECTIONS, {"out": _sides(ZERO, NUMBERS, BEST, EDGES / 32)[None, None]}, {}, True),
    "detections from 1 on": (
        Layout.DETECTIONS,
        {"out": _sides(ZERO, NUMBERS + 1, BEST, EDGES / 32)[None, None]},
        {"background": "first"},
        True,
    ),
    "ssd": (Layout.SSD, {"boxes": (EDGES / 32)[None], "scores": SCORES[None]}, {"layout": "ssd"}, False),
    "ssd with a background": (
        Layout.SSD,
        {"boxes": (EDGES / 32)[None], "scores": _sides(NOTHING, SCORES)[None]},
        {"layout": "ssd"},
        False,
    ),
    "ssd with the background at the end": (
        Layout.SSD,
        {"boxes": (EDGES / 32)[None], "scores": _sides(SCORES, NOTHING)[None]},
        {"layout": "ssd", "background": "last"},
        False,
    ),
    "ssd with logits in pixels": (
        Layout.SSD,
        {"boxes": EDGES[None], "scores": np.log(SCORES + 1e-9)[None] - np.log(1 - SCORES + 1e-9)[None]},
        {"layout": "ssd", "unit": "pixel", "scores": "sigmoid"},
        False,
    ),
    "listed": (Layout.LISTED, {"boxes": EDGES, "labels": NUMBERS, "scores": BEST}, {}, True),
    "listed, as TensorFlow does": (
        Layout.LISTED,
        {
            "detection_boxes": (EDGES[:, [1, 0, 3, 2]] / 32)[None],
            "detection_classes": (NUMBERS + 1)[None],
            "detection_scores": BEST[None],
            "num_detections": np.array([COUNT], np.float32),
        },
        {"boxes": "corners-yx", "unit": "fraction", "background": "first"},
        True,
    ),
    "listed by names that say nothing": (
        Layout.LISTED,
        {"a": EDGES, "b": NUMBERS, "c": BEST},
        {"outputs": {"boxes": "a", "labels": "b", "scores": "c"}},
        True,
    ),
    "detr": (Layout.DETR, {"logits": LOGITS[None], "pred_boxes": (_centres() / 32)[None]}, {"layout": "detr"}, True),
    "left, top, width, height": (
        Layout.ROWS,
        {"output0": _sides(EDGES[:, :2], EDGES[:, 2:] - EDGES[:, :2], BEST, NUMBERS)[None]},
        {"boxes": "corner"},
        True,
    ),
}
"""The layout, the outputs, what the operator says beside labels and size, and whether what overlaps stays."""


def _detector(folder: Path, network: dict[str, Array], **said: Any) -> Detector:
    constant(folder / "net.onnx", network)
    return Detector(read(describe(folder, **{"file": "net.onnx", "labels": LABELS, "size": 32, **said})))


def _found(detector: Detector, min_score: float = 0.5) -> tuple[Found, ...]:
    picture = Picture.decode(file(Image.new("RGB", (64, 64), "white")))
    return detector.detect(picture, min_score, frozenset(LABELS))


@pytest.mark.parametrize("name", CASES)
def test_layouts(name: str, tmp_path: Path) -> None:
    """The objects are found at their places, whatever way they are told; overlapping ones go where no network did that."""
    layout, outputs, said, stays = CASES[name]
    detector = _detector(tmp_path, outputs, **said)
    assert detector.reading.layout is layout
    objects = _found(detector)
    assert [(item.label, item.area) for item in objects] == [
        (item.label, item.area) for item in WANTED + (AGAIN,) * stays
    ]
    assert [item.score for item in objects] == pytest.approx([0.9, 0.8, 0.7][: len(objects)], abs=0.002)


@pytest.mark.parametrize("name", CASES)
def test_the_networks_say_what_they_should(name: str, tmp_path: Path) -> None:
    """OpenCV gives what ONNX's own reference gives, so that the test above speaks of the layouts and of nothing else."""
    _, outputs, _, _ = CASES[name]
    path = constant(tmp_path / "net.onnx", outputs)
    images = np.zeros((1, 3, 32, 32), np.float32)
    values = ReferenceEvaluator(onnx.load(path)).run(None, {"images": images})
    for value, wanted in zip(values, outputs.values(), strict=True):
        np.testing.assert_allclose(value, wanted, atol=1e-6)


def test_the_operator_decides_how_much_boxes_may_overlap(tmp_path: Path) -> None:
    """With an overlap of 1 everything stays; with a small one only the surest of each label does."""
    outputs = CASES["yolo"][1]
    assert len(_found(_detector(tmp_path, outputs, overlap=1.0))) == 3
    far = outputs["output0"].copy()
    far[0, 0, 2] = 12  # the second dog, overlapping the first by 0.48
    assert len(_found(_detector(tmp_path / "far", {"output0": far}))) == 3
    assert len(_found(_detector(tmp_path / "small", {"output0": far}, overlap=0.05))) == 2
    assert len(_found(_detector(tmp_path / "rows", CASES["rows"][1], overlap=0.5))) == 2


@pytest.mark.parametrize(
    ("outputs", "said", "message"),
    [
        (CASES["yolo"][1], {"labels": ["cat"]}, r"with 1 labels its outputs are of no layout .*output0 \[1, 7, 9\]"),
        (CASES["yolo"][1], {"labels": ["cat", "dog"]}, "with 2 labels its outputs are of no layout"),
        (CASES["yolo-objectness"][1], {"labels": [*LABELS, "pig"]}, "with 4 labels its outputs are of no layout"),
        (CASES["yolo"][1], {"layout": "ssd"}, "not laid out as ssd"),
        (CASES["ssd"][1], {}, "may be laid out as ssd or as detr.*say which as `layout`"),
        (CASES["rows"][1], {"labels": ["cat"]}, "may be laid out as rows or as yolo-objectness"),
        (CASES["yolo"][1], {"outputs": {"boxes": "boxes"}}, "the network has no output boxes; it has output0"),
        ({"a": CASES["yolo"][1]["output0"], "b": CASES["yolo"][1]["output0"]}, {}, "several of its outputs.*`outputs`"),
        ({"out": np.zeros((1, 2, 3, 4, 5), np.float32)}, {}, "of no layout that is known"),
        (CASES["ssd"][1], {"layout": "ssd", "background": "first"}, "not laid out as ssd"),
    ],
    ids=[
        "labels",
        "a label too few",
        "a label too many",
        "another layout",
        "ssd or detr",
        "rows or yolo",
        "no such output",
        "which",
        "five dimensions",
        "background",
    ],
)
def test_outputs_that_do_not_fit(outputs: dict[str, Array], said: dict[str, Any], message: str, tmp_path: Path) -> None:
    """What cannot be told from the shapes, and what contradicts them, is said with the shapes before anything is served."""
    with pytest.raises(BadDescription, match=message):
        _detector(tmp_path, outputs, **said)


def test_the_named_output_counts(tmp_path: Path) -> None:
    """Of two outputs that both fit, the one that the operator names is read."""
    first, second = CASES["yolo"][1]["output0"], CASES["yolo"][1]["output0"].copy()
    second[0, 4:] = 0
    assert _found(_detector(tmp_path, {"a": first, "b": second}, outputs={"boxes": "a"})) == WANTED
    assert _found(_detector(tmp_path / "b", {"a": first, "b": second}, outputs={"boxes": "b"})) == ()


def test_numbers_that_are_none(tmp_path: Path) -> None:
    """Boxes that are not finite, empty or outside of the picture are no objects, and nothing ends in an error."""
    edges = np.array(
        [[np.nan, 0, 9, 9], [0, 0, np.inf, 9], [9, 9, 4, 4], [5, 5, 5, 9], [40, 40, 50, 50], [-9, -9, 4, 4]], np.float32
    )
    rows = np.concatenate([edges, np.full((6, 1), 0.9), np.zeros((6, 1))], axis=1).astype(np.float32)
    assert [item.area for item in _found(_detector(tmp_path, {"output0": rows[None]}))] == [
        Area(x=0, y=0, width=8, height=8)
    ]


def test_a_label_that_nobody_named(tmp_path: Path) -> None:
    """A network that tells of a fourth label where three are named is an error, not one of the three."""
    rows = np.array([[[1, 1, 9, 9, 0.9, 3], [1, 1, 9, 9, 0.9, 0]]], np.float32)
    with pytest.raises(BadDescription, match="reports label 3, and there are 3, from 0 on"):
        _found(_detector(tmp_path, {"output0": rows}))


def test_no_more_than_can_be_told(tmp_path: Path) -> None:
    """Of a thousand objects the three hundred surest are given."""
    corners = np.arange(1000, dtype=np.float32)
    rows = np.stack(
        [corners % 30, corners // 40, corners % 30 + 2, corners // 40 + 2, 1 - corners / 2000, 0 * corners], axis=1
    )
    objects = _found(_detector(tmp_path, {"output0": rows[None]}))
    assert len(objects) == 300
    assert objects[-1].score == pytest.approx(1 - 299 / 2000, abs=1e-4)


def test_parts_of_current_networks(tmp_path: Path) -> None:
    """What exports of current YOLO detectors are made of runs, is told by its shape, and gives what the reference gives."""
    path = modern(tmp_path / "net.onnx", len(LABELS), 64)
    detector = Detector(read(describe(tmp_path, file="net.onnx", labels=LABELS, size=64)))
    assert detector.reading.layout is Layout.YOLO
    images = np.random.default_rng(2).uniform(0, 1, (1, 3, 64, 64)).astype(np.float32)
    (wanted,) = ReferenceEvaluator(onnx.load(path)).run(None, {"images": images})
    (output,) = detector._run(images).values()
    assert output.shape == (1, 4 + len(LABELS), 8 * 8 + 4 * 4)
    assert float(np.abs(output - np.asarray(wanted)).max()) < 1e-3
    assert float(np.ptp(output[0, 4:])) > 0.05
