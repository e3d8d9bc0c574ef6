"""face-analyze describes faces, each trait an estimate, and leaves null what it has no model for."""

import csv
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from agents import discovery
from agents.imaging.faces.traits import load
from streams.service.errors import InvalidInput
from streams.service.model_status import summarise
from tests.unit.agents.pictures import astronaut, file, run

FACE = {"x": 178, "y": 63, "width": 90, "height": 113}


def _one(data: bytes, **inputs: Any) -> dict[str, Any]:
    faces = run("face-analyze", data, **inputs).output["faces"]
    assert len(faces) == 1
    face: dict[str, Any] = faces[0]
    return face


@pytest.mark.usefixtures("no_data")
def test_without_any_weights() -> None:
    """Without weights the face is found and its looks are told; gender and emotion are null, and that is announced."""
    said = run("face-analyze", astronaut()).output
    face = said["faces"][0]
    assert (face["gender"], face["gender_confidence"], face["emotion"], face["emotion_confidence"]) == (None,) * 4
    assert (face["eyes"], face["smile"]) == (2, True)
    assert said["model"] == "haarcascade_frontalface_default+haarcascades"
    problem = summarise(discovery.load("face-analyze").model_status()).problem or ""
    assert "gender is always null" in problem
    assert "emotion is always null" in problem


@pytest.mark.usefixtures("no_data")
def test_given_areas() -> None:
    """Faces that are given are described in their order, whatever a detector would find."""
    said = run("face-analyze", astronaut(), areas=[FACE, {"x": 400, "y": 400, "width": 60, "height": 60}]).output
    assert said["faces"][0]["area"] == FACE
    assert said["faces"][1]["eyes"] == 0
    assert said["model"] == "haarcascades"
    assert run("face-analyze", astronaut(), areas=[]).output["faces"] == []


@pytest.mark.usefixtures("no_data")
def test_areas_at_the_edge() -> None:
    """An area that stands over the edge is clipped; one wholly outside is refused by its place in the list."""
    assert _one(astronaut(), areas=[{"x": 450, "y": -20, "width": 100, "height": 60}])["area"] == {
        "x": 450,
        "y": 0,
        "width": 62,
        "height": 40,
    }
    with pytest.raises(InvalidInput, match="lies wholly outside of the picture") as refused:
        run("face-analyze", astronaut(), areas=[FACE, {"x": 512, "y": 0, "width": 10, "height": 10}])
    assert refused.value.where == "areas[1]"


@pytest.mark.usefixtures("no_data")
@pytest.mark.parametrize(
    "area", [{"x": 0, "y": 0, "width": 1, "height": 1}, {"x": 0, "y": 0, "width": 512, "height": 1}]
)
def test_areas_of_hardly_anything(area: dict[str, int]) -> None:
    """Even a single pixel gets an answer."""
    assert _one(astronaut(), areas=[area])["eyes"] == 0


@pytest.mark.usefixtures("no_data")
def test_sharpness_and_brightness() -> None:
    """A blurred face is less sharp, a darkened one less bright, and both are between 0 and 1."""
    photo = Image.open(BytesIO(astronaut()))
    plain = _one(file(photo), areas=[FACE])
    blurred = _one(file(photo.filter(ImageFilter.GaussianBlur(4))), areas=[FACE])
    dark = _one(file(ImageEnhance.Brightness(photo).enhance(0.4)), areas=[FACE])
    assert blurred["sharpness"] < plain["sharpness"] / 2
    assert dark["brightness"] == pytest.approx(plain["brightness"] * 0.4, rel=0.05)
    assert 0.5 < plain["sharpness"] < 1
    grey = np.asarray(photo.convert("L").crop((178, 63, 268, 176)))
    assert plain["brightness"] == pytest.approx(grey.mean() / 255, abs=0.03)


@pytest.mark.usefixtures("no_data")
def test_eyes_that_are_covered_are_not_seen() -> None:
    """A bar over the eyes leaves none to be seen."""
    photo = Image.open(BytesIO(astronaut())).convert("RGB")
    photo.paste((30, 30, 30), (178, 85, 268, 125))
    assert _one(file(photo), areas=[FACE])["eyes"] == 0


WAVES = {
    "gender_mini_XCEPTION.21-0.95.onnx": [0.861406, 0.138594],
    "fer2013_mini_XCEPTION.102-0.66.onnx": [0.115507, 1.4e-05, 0.130999, 0.066634, 0.010276, 0.031443, 0.645126],
}
"""What ONNX Runtime 1.31 gives for the waves below."""


@pytest.mark.data
@pytest.mark.parametrize("name", WAVES)
def test_the_networks_give_what_they_should(data: Path, name: str) -> None:
    """On a fixed pattern OpenCV gives what another runtime gives for the same weights."""
    rows, columns = np.indices((64, 64))
    waves = ((np.sin(rows / 9) * np.cos(columns / 7) + 1) / 2).astype(np.float32)
    net = load(data / "models" / name)
    net.setInput(waves.reshape(1, 64, 64, 1))
    assert net.forward()[0].tolist() == pytest.approx(WAVES[name], abs=1e-5)


@pytest.mark.data
def test_known_people(data: Path) -> None:
    """On clear portraits gender and smile are told as anybody would tell them, and each carries a confidence."""
    for name, gender, emotion in (
        ("astronaut.png", "woman", "happy"),
        ("obama.jpg", "man", "happy"),
        ("001_A.jpg", "woman", None),
        ("009_C.jpg", "man", "happy"),
    ):
        face = _one((data / "faces" / "images" / name).read_bytes())
        assert face["gender"] == gender, name
        assert emotion in (None, face["emotion"]), name
        for trait in ("gender", "emotion", "eyes", "smile"):
            assert 0 <= face[f"{trait}_confidence"] <= 1


@pytest.mark.data
def test_smile_and_emotion_agree(data: Path) -> None:
    """A face that is surely happy smiles, and one that is surely not does not: 9 of 25 happy ones did not smile."""
    happy = 0
    for photo in sorted((data / "faces" / "images").iterdir()):
        for face in run("face-analyze", photo.read_bytes()).output["faces"]:
            if face["emotion_confidence"] > 0.9:
                assert face["smile"] == (face["emotion"] == "happy"), (photo.name, face["area"])
                happy += face["smile"]
    assert happy >= 20


@pytest.mark.data
def test_laughing_people_smile(data: Path) -> None:
    """Four people laugh in one photo, three of them in profile; of the angry two in others, one shows the teeth."""
    laughing = run("face-analyze", (data / "faces" / "images" / "012_4.jpg").read_bytes()).output["faces"]
    assert [face["smile"] for face in laughing] == [True] * 4
    grim = run("face-analyze", (data / "faces" / "images" / "2008_002506.jpg").read_bytes()).output["faces"]
    assert [face["smile"] for face in grim] == [True, False, True]


@pytest.mark.data
def test_women_and_men_in_groups(data: Path) -> None:
    """Over the photos with known counts, at most an eighth of the faces is told wrong, as estimates go."""
    with (data / "faces" / "photos.csv").open(newline="") as rows:
        photos = [photo for photo in csv.DictReader(rows) if photo["men"]]
    wrong = faces = 0
    for photo in photos:
        analysed = run("face-analyze", (data / "faces" / "images" / photo["file"]).read_bytes()).output["faces"]
        wrong += abs(sum(face["gender"] == "man" for face in analysed) - int(photo["men"]))
        faces += len(analysed)
    assert faces == sum(int(photo["n_faces"]) for photo in photos)
    assert wrong <= faces / 8


@pytest.mark.data
def test_the_answer_names_every_model(data: Path) -> None:
    """Detector, gender, emotion and cascades are named with their versions."""
    said = run("face-analyze", astronaut()).output
    assert said["model"] == "face_detection_yunet+gender_mini_XCEPTION+fer2013_mini_XCEPTION+haarcascades"
    assert said["model_version"].startswith("2023mar+21-0.95+102-0.66+opencv-4")
    assert summarise(discovery.load("face-analyze").model_status()).problem is None


@pytest.mark.data
def test_large_photos_are_judged_like_small_ones(data: Path) -> None:
    """A face that is decoded at a fraction of its size is described as the same face scaled down beforehand."""
    photo = Image.open(data / "faces" / "images" / "003_A.jpg")
    small = photo.resize((photo.width // 4, photo.height // 4), Image.Resampling.BOX)
    large, reduced = _one((data / "faces" / "images" / "003_A.jpg").read_bytes()), _one(file(small, "png"))
    assert large["gender"] == reduced["gender"]
    assert large["brightness"] == pytest.approx(reduced["brightness"], abs=0.03)
