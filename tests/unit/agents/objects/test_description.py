"""An operator's description of a detector: read with its defaults, refused with its file, and named by its content."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from agents.objects.description import USUAL, BadDescription, Description, Outputs, Pixels, place, read
from agents.objects.detector import Detector
from agents.objects.status import detector_status, works
from agents.objects.words import Background, Form, Layout, Scores, Unit
from streams.service.model_status import summarise
from tests.detectors.export import constant, save
from tests.detectors.folder import describe

YOLO = {"output0": np.zeros((1, 6, 20), np.float32)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a network of two labels."""
    constant(tmp_path / "net.onnx", YOLO)
    return tmp_path


def _said(folder: Path, **fields: Any) -> Path:
    return describe(folder, **{"file": "net.onnx", "labels": ["cup", "spoon"], "size": 32, **fields})


def test_fields_that_are_left_out_have_defaults(folder: Path) -> None:
    """A file, labels and a size are enough; the name is the file's, and the version of twelve digits says what is in it."""
    description = read(_said(folder))
    assert (description.name, description.labels, description.size) == ("net", ("cup", "spoon"), (32, 32))
    assert len(bytes.fromhex(description.version)) == 6
    assert (description.pixels.order, description.pixels.fit, description.pixels.divide) == ("rgb", "letterbox", 255)


def test_yaml_and_labels_in_a_file(folder: Path) -> None:
    """The description may be YAML, with comments, and the labels a file of lines beside it."""
    (folder / "labels.txt").write_text("cup\nspoon\n")
    path = folder / "detector.yaml"
    path.write_text("# the kitchen\nfile: net.onnx\nlabels: labels.txt\nsize: [64, 32]\nname: kitchen\n")
    description = read(path)
    assert (description.name, description.labels, description.size) == ("kitchen", ("cup", "spoon"), (64, 32))


def test_the_version_names_what_makes_the_answers(folder: Path) -> None:
    """Other weights, labels or pixels are another version; another place on the disk is not."""
    first = read(_said(folder)).version
    assert read(_said(folder)).version == first
    other = folder / "elsewhere"
    constant(other / "renamed.onnx", YOLO)
    assert read(_said(other, file="renamed.onnx")).version == first
    assert read(_said(folder, labels=["cup", "fork"])).version != first
    assert read(_said(folder, pixels={"order": "bgr"})).version != first
    constant(folder / "net.onnx", {"output0": np.ones((1, 6, 20), np.float32)})
    assert read(_said(folder)).version != first


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"file": "gone.onnx"}, r"file: .*gone.onnx cannot be read: No such file"),
        ({"labels": "gone.txt"}, r"labels: .*gone.txt cannot be read"),
        ({"labels": []}, "labels must be one and more texts"),
        ({"labels": ["cup", ""]}, "none of them empty"),
        ({"labels": ["cup", "cup"]}, "cup is there more than once"),
        ({"labels": [1, 2]}, r"Expected `str`, got `int` - at `\$.labels\[0\]`"),
        ({"size": 4}, "size: 4 x 4 is not within 8 to 4096"),
        ({"size": "large"}, r"at `\$.size`"),
        ({"lables": ["cup"]}, "unknown field `lables`"),
        ({"layout": "yolo3"}, "Invalid enum value 'yolo3'"),
        ({"overlap": 0}, "overlap: 0 is not above 0"),
        ({"pixels": {"order": "grb"}}, "pixels.order: 'grb' is not rgb or bgr"),
        ({"pixels": {"std": [1, 0, 1]}}, "divide and std must be above 0"),
        ({"pixels": {"fill": 300}}, "pixels.fill: 300 is not within 0 to 255"),
    ],
)
def test_mistakes_are_reported_with_their_file(folder: Path, fields: dict[str, Any], message: str) -> None:
    """Each mistake is said with the file that it is in."""
    with pytest.raises(BadDescription, match=message) as bad:
        read(_said(folder, **fields))
    assert str(bad.value).startswith(str(folder / "detector.json"))


@pytest.mark.parametrize("pixels", ["mean: [.nan, 0, 0]", "std: [1, .nan, 1]", "divide: .inf"])
def test_an_infinite_pixel_value_is_refused(folder: Path, pixels: str) -> None:
    """With it the network would get no picture, and find nothing, without a word."""
    path = folder / "detector.yaml"
    path.write_text(f"file: net.onnx\nlabels: [cup]\nsize: 32\npixels: {{{pixels}}}\n")
    with pytest.raises(BadDescription, match="none of their numbers without an end"):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "neither YAML nor JSON"),
        ("", "Expected `object`, got `null`"),
        ("name: 2020-99-99", "neither YAML nor JSON: month must be"),
        ("{" * 3000, "neither YAML nor JSON"),
        ('file: "a\\0b"\nlabels: [cup]\nsize: 64', "cannot be read: embedded null byte"),
    ],
)
def test_text_that_is_no_description(tmp_path: Path, text: str, message: str) -> None:
    """A file that is not YAML, or empty, is said to be so: whatever stands in it, the worker starts."""
    path = tmp_path / "detector.yaml"
    path.write_text(text)
    with pytest.raises(BadDescription, match=message):
        read(path)


def test_the_page_has_every_word() -> None:
    """Each field of a description, and each word that it may hold, stands on the page about it."""
    page = (Path(__file__).parents[4] / "docs" / "reference" / "object-detect.md").read_text(encoding="utf-8")
    fields = [name for name in Description.__dataclass_fields__ if name not in ("path", "weights", "version")]
    words = [word for kind in (Layout, Form, Unit, Scores, Background) for word in kind]
    parts = [*Pixels.__struct_fields__, "file"]
    assert [name for name in (*fields, *words, *parts) if f"`{name}" not in page] == []
    assert all(f"{name}:" in page for name in Outputs.__struct_fields__)


def test_the_example_of_the_page(folder: Path) -> None:
    """The description that the page begins with is one that can be read."""
    page = (Path(__file__).parents[4] / "docs" / "reference" / "object-detect.md").read_text(encoding="utf-8")
    path = folder / "detector.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    (folder / "yolo11n.onnx").write_bytes(b"weights")
    (folder / "coco.txt").write_text("person\nbicycle\n")
    assert read(path).labels == ("person", "bicycle")


def test_where_it_is_looked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting wins over the usual place in the data directory; without either there is none, and the catalogue says so."""
    monkeypatch.setenv("MILLRACE_DATA", str(folder))
    monkeypatch.delenv("MILLRACE_OBJECT_DETECTOR", raising=False)
    assert place() is None
    assert works() == ""
    problem = summarise(detector_status()).problem or ""
    assert f"describe one in {folder / USUAL}" in problem
    assert "MILLRACE_OBJECT_DETECTOR" in problem
    (folder / USUAL).parent.mkdir()
    (folder / USUAL).write_text("file: ../net.onnx\nlabels: [cup, spoon]\nsize: 32\n")
    assert place() == folder / USUAL
    assert [status.ready for status in detector_status()] == [True]
    monkeypatch.setenv("MILLRACE_OBJECT_DETECTOR", str(folder / "gone.yaml"))
    assert "gone.yaml: cannot be read" in (summarise(detector_status()).problem or "")


def test_a_detector_that_works_is_announced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name and version stand in the catalogue, after it was loaded and run once."""
    path = _said(folder, name="kitchen")
    monkeypatch.setenv("MILLRACE_OBJECT_DETECTOR", str(path))
    summary = summarise(detector_status())
    assert (summary.model, summary.model_version, summary.problem) == ("kitchen", read(path).version, None)
    assert works() == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": ["cup", "spoon", "fork"]}, r"with 3 labels its outputs are of no layout.*output0 \[1, 6, 20\]"),
        ({"layout": "detr"}, "not laid out as detr"),
    ],
)
def test_a_detector_that_does_not_fit_is_told_at_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], message: str
) -> None:
    """A wrong number of labels, or another layout, is found before anybody calls the service."""
    monkeypatch.setenv("MILLRACE_OBJECT_DETECTOR", str(_said(folder, **fields)))
    assert detector_status()[0].ready
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(works())


@pytest.mark.parametrize(
    ("operation", "message"),
    [("Det", "has no operation Det; export the network without it"), ("Conv", "cannot be run on 32 x 32 pixels")],
)
def test_a_network_that_opencv_cannot_run(folder: Path, operation: str, message: str) -> None:
    """An operation that is missing is named, and so is a size that the network does not take."""
    save(
        folder / "net.onnx",
        [
            helper.make_node("Reshape", ["images", "shape"], ["square"]),
            helper.make_node(operation, ["square", *(["weights"] if operation == "Conv" else [])], ["output0"]),
        ],
        {"shape": np.array([1, 3, 16, 16]), "weights": np.zeros((6, 3, 1, 1), np.float32)},
        {"output0": [1, 3] if operation == "Det" else [1, 6, 16, 16]},
        (1, 3, 16, 16),
    )
    with pytest.raises(BadDescription, match=message):
        Detector(read(_said(folder)))


def test_a_network_that_cannot_be_loaded(folder: Path) -> None:
    """A file that is cut short, or none at all, is said to be no ONNX; an operation that is missing is named."""
    whole = (folder / "net.onnx").read_bytes()
    for part in (whole[: len(whole) // 2], b"weights", b""):
        (folder / "net.onnx").write_bytes(part)
        with pytest.raises(BadDescription, match=r"net.onnx cannot be loaded: it is not a complete ONNX file"):
            Detector(read(_said(folder)))


def test_a_network_that_ends_its_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where loading a network ends the process that does it, the catalogue says so, and the worker lives on."""
    monkeypatch.setenv("MILLRACE_OBJECT_DETECTOR", str(_said(folder)))
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert "ends the process that loads it (status 1)" in works()
