"""Models are loaded before the first call of a process, so that no caller waits for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents import discovery
from tests.detectors import folder

ROOT = Path(__file__).parents[3]

SCRIPT = """
import sys
import cv2
from agents import discovery
from streams.service.child_calls import load
from tests.unit.agents.pictures import astronaut, run

def read(*_):
    raise AssertionError("a call reads a model")

name = sys.argv[1]
load(discovery.registry()[name], name, "")
cv2.CascadeClassifier = cv2.dnn.readNetFromONNX = cv2.FaceDetectorYN.create = read
print(run(name, astronaut()).output["model"])
"""


def _called(name: str, **settings: Path) -> str:
    """What model a call says that it used, in a process where nothing can be read any more after loading."""
    environ = {**os.environ, **{f"MILLRACE_{key.upper()}": str(value) for key, value in settings.items()}}
    command = [sys.executable, "-c", SCRIPT, name]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["face-detect", "face-analyze"])
def test_no_call_reads_a_cascade(name: str, no_data: Path) -> None:
    """Without weights, the cascades that stand in for them are loaded."""
    assert _called(name, data=no_data).startswith("haarcascade_frontalface_default")


@pytest.mark.data
@pytest.mark.parametrize("name", ["face-detect", "face-analyze"])
def test_no_call_reads_weights(name: str, data: Path) -> None:
    """With weights, all of them are loaded."""
    assert _called(name, data=data).startswith("face_detection_yunet")


def test_no_call_reads_the_detector(tmp_path: Path) -> None:
    """An operator's detector is loaded too."""
    assert _called("object-detect", data=tmp_path, object_detector=folder.shapes(tmp_path)) == "shapes"


def test_loading_without_a_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without a detector, or with a broken one, starts all the same: the catalogue says what is wrong."""
    loads = discovery.load("object-detect").loads
    assert loads is not None
    monkeypatch.setenv("MILLRACE_DATA", str(tmp_path))
    monkeypatch.delenv("MILLRACE_OBJECT_DETECTOR", raising=False)
    loads()
    monkeypatch.setenv("MILLRACE_OBJECT_DETECTOR", str(tmp_path / "gone.yaml"))
    loads()
