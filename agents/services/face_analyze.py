"""Describe faces: gender, emotion, open eyes, smile, sharpness and brightness.

Faces are given as areas, or found as face-detect finds them when areas are left out. Everything but sharpness and
brightness is an estimate with a confidence, and often wrong: gender is what small networks make of an apparent
presentation, not a fact about a person. Gender and emotion are null where the weights of their models are missing. The emotion
counts for the smile too: where it is surely happy, the face smiles, and where it is surely not, it does not.
"""

from typing import Annotated

from agents.imaging.area import Area
from agents.imaging.example import PICTURE
from agents.imaging.faces.models import detector_status, traits_status
from agents.imaging.picture import Picture
from streams.service import Doc, ModelStatus, Record, service
from streams.service.model_status import summarise


class Request(Record):
    image: Annotated[Picture, Doc("The photo.")]
    areas: Annotated[tuple[Area, ...] | None, Doc("The areas of the faces; when left out, faces are detected.")] = None


class Face(Record):
    """One face."""

    area: Annotated[Area, Doc("Where it is, inside the picture.")]
    gender: Annotated[str | None, Doc("woman or man, as it appears; null without the model.")] = None
    gender_confidence: Annotated[float | None, Doc("0 to 1.")] = None
    emotion: Annotated[
        str | None, Doc("angry, disgust, fear, happy, sad, surprise or neutral; null without the model.")
    ] = None
    emotion_confidence: Annotated[float | None, Doc("0 to 1.")] = None
    eyes: Annotated[int, Doc("Open eyes that are seen.", minimum=0, maximum=2)]
    eyes_confidence: Annotated[float, Doc("0 to 1.")]
    smile: bool
    smile_confidence: Annotated[float, Doc("0 to 1.")]
    sharpness: Annotated[float, Doc("Measured at one size for all faces; a photo in focus has about 0.5 and more.")]
    brightness: Annotated[float, Doc("Mean of its grey pixels: 0 is black, 1 is white.")]


class Response(Record):
    faces: Annotated[tuple[Face, ...], Doc("In the order of the areas, or from left to right.")]
    model: Annotated[str, Doc("The models that were used, joined by +.")]
    model_version: Annotated[str, Doc("Their versions, in the same order.")]


def _models() -> tuple[ModelStatus, ...]:
    return (*detector_status(), *traits_status())


def _load() -> None:
    from agents.imaging.faces.analysis import load

    load()


@service(
    "face-analyze",
    version="1.0.0",
    timeout=60,
    memory=2048,
    example={"image": PICTURE, "areas": [{"x": 4, "y": 0, "width": 24, "height": 24}]},
    models=_models,
    preload=("agents.imaging.faces.analysis",),
    loads=_load,
)
def face_analyze(request: Request) -> Response:
    from agents.imaging.faces.analysis import analyse, detected  # OpenCV is for pool children, not for the worker

    used: tuple[ModelStatus, ...] = ()
    if request.areas is None:
        areas, detector = detected(request.image)
        used = (detector,)
    else:
        size = request.image.size
        areas = tuple(area.touching(size, f"areas[{index}]") for index, area in enumerate(request.areas))
    faces = tuple(
        Face(
            area=area,
            gender=gender.label if gender else None,
            gender_confidence=gender.confidence if gender else None,
            emotion=emotion.label if emotion else None,
            emotion_confidence=emotion.confidence if emotion else None,
            eyes=looks.eyes,
            eyes_confidence=looks.eyes_confidence,
            smile=looks.smile,
            smile_confidence=looks.smile_confidence,
            sharpness=looks.sharpness,
            brightness=looks.brightness,
        )
        for area, gender, emotion, looks in analyse(request.image, areas)
    )
    models = summarise((*used, *traits_status()))
    return Response(faces=faces, model=models.model or "", model_version=models.model_version or "")
