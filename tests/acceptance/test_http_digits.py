"""Digits over HTTP: a picture in, its digit out; what is none ends with a reason that a person can use."""

from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from agents.digits.bundle import FOLDER
from streams.models import read
from tests.acceptance.system import System


def sheet(text: str) -> bytes:
    """Dark digits on grey paper, as a PNG."""
    paper = np.full((240, 320), 214, np.uint8)
    cv2.putText(paper, text, (60, 180), cv2.FONT_HERSHEY_SIMPLEX, 4, 40, 14, cv2.LINE_AA)
    out = BytesIO()
    Image.fromarray(paper).save(out, "PNG")
    return out.getvalue()


def test_a_digit_is_read_over_http(system: System) -> None:
    """One call gives the digit, its confidence, all ten probabilities, and the model that said so."""
    run = system.submit("digit-recognition", kind="services", files={"image": ("eight.png", sheet("8"))})
    assert system.follow(run)[-1].name == "run.finished"
    output = system.output(run)
    assert output["digit"] == 8
    assert output["confidence"] == max(output["probabilities"]) > 0.5
    assert len(output["probabilities"]) == 10
    assert (output["model"], output["model_version"]) == (read(FOLDER).name, read(FOLDER).version)


def test_two_digits_are_refused_over_http(system: System) -> None:
    """A run on a picture of two digits fails at once, and says what to send instead."""
    run = system.submit("digit-recognition", files={"image": ("two.png", sheet("42"))})
    received = system.follow(run)
    assert received[-1].name == "run.failed"
    assert not [one for one in received if one.name == "node.retrying"]
    assert "2 digits" in str(received[-1].data)
    assert "image-crop" in str(received[-1].data)


def test_the_catalogue_names_the_model(system: System) -> None:
    """Who looks at the service sees which model serves, and its version."""
    with system.http as http:
        said = http.get("/services/digit-recognition").json()
    assert said["model_version"] == read(FOLDER).version
