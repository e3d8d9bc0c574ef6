"""Find objects in a picture, by the detector that the operator of this installation chose.

Which labels there are, and how good it is, depends on that detector: any ONNX network that OpenCV runs can be described
in a small file, as docs/reference/object-detect.md says. Without one its calls wait, and the catalogue says so.
"""

from contextlib import suppress
from difflib import get_close_matches
from typing import Annotated

from agents.imaging.area import Area
from agents.imaging.example import PICTURE
from agents.imaging.picture import Picture
from agents.objects.status import detector_status, works
from streams.service import Doc, InvalidInput, Record, service

_SHOWN = 20


class Request(Record):
    image: Annotated[Picture, Doc("The picture.")]
    min_score: Annotated[float, Doc("Objects with a lower score are left out.", minimum=0, maximum=1)] = 0.5
    labels: Annotated[tuple[str, ...] | None, Doc("Only objects with these labels; left out, all.")] = None


class Object(Record):
    """One object."""

    label: Annotated[str, Doc("What it is, in the detector's words.")]
    area: Annotated[Area, Doc("Where it is, inside the picture.")]
    score: Annotated[
        float, Doc("How sure the detector is; what that is worth is the detector's.", minimum=0, maximum=1)
    ]


class Response(Record):
    objects: Annotated[tuple[Object, ...], Doc("The surest first, 300 at most.")]
    model: Annotated[str, Doc("What found them.")]
    model_version: str


def _load() -> None:
    from agents.objects.description import BadDescription
    from agents.objects.detector import detector

    with suppress(BadDescription):  # the catalogue has it
        detector()


@service(
    "object-detect",
    version="1.0.0",
    timeout=60,
    memory=2048,
    example={"image": PICTURE, "min_score": 0.5},
    models=detector_status,
    preload=("agents.objects.detector",),
    check=works,
    loads=_load,
)
def object_detect(request: Request) -> Response:
    from agents.objects.description import BadDescription
    from agents.objects.detector import detector  # OpenCV is for pool children, not for the worker itself

    try:
        used = detector()
        wanted = _wanted(request.labels, used.about.labels)
        detections = used.detect(request.image, request.min_score, wanted)
    except BadDescription as error:
        raise InvalidInput(
            str(error), "who runs this installation can give it a detector: docs/reference/object-detect.md"
        ) from error
    objects = tuple(Object(label=item.label, area=item.area, score=item.score) for item in detections)
    return Response(objects=objects, model=used.about.name, model_version=used.about.version)


def _wanted(asked: tuple[str, ...] | None, known: tuple[str, ...]) -> frozenset[str]:
    """Return the labels to detect, all when `asked` is None. Raises InvalidInput for one that the detector does not know."""
    for index, label in enumerate(asked or ()):
        if label not in known:
            near = get_close_matches(label, known, 1)
            there = ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
            hint = f"did you mean {near[0]}?" if near else f"it knows {there}"
            raise InvalidInput(f"the detector knows no {label!r}", hint, f"labels[{index}]")
    return frozenset(known if asked is None else asked)
