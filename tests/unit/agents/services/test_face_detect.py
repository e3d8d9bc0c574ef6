"""face-detect finds faces by YuNet where its weights are, by OpenCV's cascade elsewhere, and says which it was."""

import csv
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agents import discovery
from streams.service.errors import InvalidInput
from streams.service.model_status import summarise
from tests.unit.agents.pictures import astronaut, file, run

FACE = (178, 63, 268, 176)
"""Where the astronaut's face is: left, top, right, bottom."""


def _overlap(area: dict[str, int], box: tuple[int, int, int, int]) -> float:
    """Intersection over union of an area and a box."""
    left, top = max(area["x"], box[0]), max(area["y"], box[1])
    right, bottom = min(area["x"] + area["width"], box[2]), min(area["y"] + area["height"], box[3])
    both = max(0, right - left) * max(0, bottom - top)
    return both / (area["width"] * area["height"] + (box[2] - box[0]) * (box[3] - box[1]) - both)


@pytest.mark.usefixtures("no_data")
def test_without_any_weights() -> None:
    """With nothing but OpenCV's package the astronaut's face is found, and the answer says by what."""
    said = run("face-detect", astronaut()).output
    assert (said["model"], said["model_version"][:8]) == ("haarcascade_frontalface_default", "opencv-4")
    assert [face["landmarks"] for face in said["faces"]] == [None]
    assert _overlap(said["faces"][0]["area"], FACE) > 0.6


def test_a_missing_model_is_announced(no_data: Path) -> None:
    """The catalogue names what is missing, what that means and how to get it; the cascade is what is in use."""
    summary = summarise(discovery.load("face-detect").model_status())
    assert summary.model == "haarcascade_frontalface_default"
    assert summary.problem is not None
    assert str(no_data / "models") in summary.problem
    assert "millrace data fetch models/face_detection_yunet_2023mar.onnx" in summary.problem


@pytest.mark.usefixtures("no_data")
def test_other_weights_of_the_same_name_are_not_used(no_data: Path) -> None:
    """A file that is not the catalogue's is as good as none."""
    path = no_data / "models" / "face_detection_yunet_2023mar.onnx"
    path.parent.mkdir()
    path.write_bytes(b"something else")
    assert run("face-detect", astronaut()).output["model"] == "haarcascade_frontalface_default"


@pytest.mark.usefixtures("no_data")
@pytest.mark.parametrize("size", [(1, 1), (15, 400), (40, 40)])
def test_pictures_without_faces(size: tuple[int, int]) -> None:
    """An empty picture, however small, has no faces."""
    assert run("face-detect", file(Image.new("RGB", size, (90, 120, 60)))).output["faces"] == []


@pytest.mark.usefixtures("no_data")
@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_kinds_of_pictures(mode: str) -> None:
    """The face is found in grey, transparent, palette and ink pictures too."""
    photo = Image.open(BytesIO(astronaut())).convert(mode)
    said = run("face-detect", file(photo, "tiff" if mode == "CMYK" else "png")).output
    assert len(said["faces"]) == 1


@pytest.mark.usefixtures("no_data")
def test_a_photo_stored_on_its_side() -> None:
    """Areas are in pixels of the upright photo."""
    exif = Image.Exif()
    exif[274] = 6
    turned = Image.open(BytesIO(astronaut())).transpose(Image.Transpose.ROTATE_90)
    said = run("face-detect", file(turned, "jpeg", exif=exif, quality=95)).output
    assert _overlap(said["faces"][0]["area"], FACE) > 0.6


@pytest.mark.usefixtures("no_data")
def test_min_score() -> None:
    """A higher bar leaves faces out; one above 1 is refused."""
    assert run("face-detect", astronaut(), min_score=1).output["faces"] == []
    with pytest.raises(InvalidInput) as refused:
        run("face-detect", astronaut(), min_score=1.5)
    assert refused.value.where == "min_score"


def _photos(data: Path) -> list[dict[str, Any]]:
    with (data / "faces" / "photos.csv").open(newline="") as rows:
        return list(csv.DictReader(rows))


@pytest.mark.data
def test_public_photos(data: Path) -> None:
    """YuNet counts the faces of all the public photos right, from none to twenty-nine, up to 34 megapixels."""
    for photo in _photos(data):
        said = run("face-detect", (data / "faces" / "images" / photo["file"]).read_bytes()).output
        assert said["model"] == "face_detection_yunet"
        assert len(said["faces"]) == int(photo["n_faces"]), photo["file"]
        width, height = int(photo["width"]), int(photo["height"])
        for face in said["faces"]:
            area, marks = face["area"], face["landmarks"]
            assert 0 <= area["x"] < area["x"] + area["width"] <= width, photo["file"]
            assert 0 <= area["y"] < area["y"] + area["height"] <= height, photo["file"]
            assert 0.7 <= face["score"] <= 1
            assert marks["right_eye"]["x"] < marks["left_eye"]["x"] or photo["file"] == "2007_007763.jpg"
            assert marks["right_eye"]["y"] < marks["right_mouth"]["y"]


@pytest.mark.data
def test_faces_are_where_people_marked_them(data: Path) -> None:
    """Every nose that people marked lies in a face of its own."""
    with (data / "faces" / "annotations.csv").open(newline="") as rows:
        noses = [row for row in csv.DictReader(rows) if row["kind"] == "nose"]
    assert len(noses) > 20
    for file_name in {nose["file"] for nose in noses}:
        areas = [
            face["area"]
            for face in run("face-detect", (data / "faces" / "images" / file_name).read_bytes()).output["faces"]
        ]
        for nose in (nose for nose in noses if nose["file"] == file_name):
            x, y = float(nose["x"]), float(nose["y"])
            holding = [
                area
                for area in areas
                if area["x"] <= x <= area["x"] + area["width"] and area["y"] <= y <= area["y"] + area["height"]
            ]
            assert len(holding) == 1, nose


@pytest.mark.data
def test_a_scaled_photo_has_the_same_faces(data: Path) -> None:
    """Areas of a photo scaled up three times are three times as large: scaling down inside is undone."""
    photo = Image.open(data / "faces" / "images" / "012_4.jpg")
    large = photo.resize((photo.width * 3, photo.height * 3), Image.Resampling.LANCZOS)
    small_faces = run("face-detect", file(photo, "png")).output["faces"]
    large_faces = run("face-detect", file(large, "jpeg")).output["faces"]
    assert len(small_faces) == len(large_faces) == 4
    for small, big in zip(small_faces, large_faces, strict=True):
        area = small["area"]
        box = (area["x"] * 3, area["y"] * 3, (area["x"] + area["width"]) * 3, (area["y"] + area["height"]) * 3)
        assert _overlap(big["area"], box) > 0.7
