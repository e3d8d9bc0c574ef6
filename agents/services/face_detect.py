"""Find the faces in a photo.

With the weights of YuNet in the data directory, YuNet finds faces, with the places of eyes, nose and mouth; without
them OpenCV's Haar cascade does, which finds upright frontal faces only and gives no landmarks. The answer names the
model. Photos whose longer side has more than 1280 pixels are scaled down first; areas are in pixels of the whole photo.
"""

from typing import Annotated

from agents.imaging.area import Area
from agents.imaging.example import PICTURE
from agents.imaging.faces.models import detector_status
from agents.imaging.picture import Picture
from streams.service import Doc, Record, service


class Request(Record):
    image: Annotated[Picture, Doc("The photo.")]
    min_score: Annotated[float, Doc("Faces with a lower score are left out.", minimum=0, maximum=1)] = 0.7


class Point(Record):
    """A place in the upright picture, in pixels."""

    x: float
    y: float


class Landmarks(Record):
    """Places in a face; right and left are the person's own."""

    right_eye: Point
    left_eye: Point
    nose: Point
    right_mouth: Point
    left_mouth: Point


class Face(Record):
    """One face."""

    area: Annotated[Area, Doc("Where it is, inside the picture.")]
    score: Annotated[float, Doc("How sure it is that this is a face.", minimum=0, maximum=1)]
    landmarks: Annotated[Landmarks | None, Doc("Eyes, nose and mouth; null without YuNet.")] = None


class Response(Record):
    faces: Annotated[tuple[Face, ...], Doc("From left to right.")]
    model: Annotated[str, Doc("What found them.")]
    model_version: str


def _load() -> None:
    from agents.imaging.faces.detector import detector

    detector()


@service(
    "face-detect",
    version="1.0.0",
    timeout=30,
    memory=2048,
    example={"image": PICTURE, "min_score": 0.7},
    models=detector_status,
    preload=("agents.imaging.faces.detector",),
    loads=_load,
)
def face_detect(request: Request) -> Response:
    from agents.imaging.faces.detector import detector  # OpenCV is for pool children, not for the worker itself

    used = detector()
    faces = tuple(
        Face(area=face.area, score=face.score, landmarks=_landmarks(face.landmarks))
        for face in used.detect(request.image, request.min_score)
    )
    return Response(faces=faces, model=used.model.name, model_version=used.model.version)


def _landmarks(places: tuple[tuple[float, float], ...]) -> Landmarks | None:
    if not places:
        return None
    right_eye, left_eye, nose, right_mouth, left_mouth = (Point(x=x, y=y) for x, y in places)
    return Landmarks(right_eye=right_eye, left_eye=left_eye, nose=nose, right_mouth=right_mouth, left_mouth=left_mouth)
