"""Read the one handwritten digit of a picture.

Any picture of a single digit will do: a scan, a photo under uneven light, a drawing; dark on light or light on dark, of any
size and anywhere in the picture. Its ink is found, cut out, scaled and centred as the digits of MNIST are, and read by a
small network. A picture that is blank, or shows several digits apart from each other, is refused. Something that
is not a digit is still read as one, mostly with a low confidence.
"""

from typing import Annotated

from agents.digits.example import DIGIT
from agents.digits.slot import DIGITS
from agents.imaging.area import Area
from agents.imaging.picture import Picture
from streams.service import Doc, Record, service


class Request(Record):
    image: Annotated[Picture, Doc("A picture of one digit.")]


class Response(Record):
    digit: Annotated[int, Doc("The most probable digit.", minimum=0, maximum=9)]
    confidence: Annotated[float, Doc("Its probability.", minimum=0, maximum=1)]
    probabilities: Annotated[tuple[float, ...], Doc("Of 0 to 9, in this order; they add up to 1.")]
    area: Annotated[Area, Doc("Where its ink is.")]
    light_on_dark: Annotated[bool, Doc("Whether the ink is lighter than the paper, as on a blackboard.")]
    ink: Annotated[float, Doc("Mean of the centred picture that was read: 0 is paper, 1 is ink.", minimum=0, maximum=1)]
    model: Annotated[str, Doc("What read it.")]
    model_version: str


@service(
    "digit-recognition",
    version="1.0.0",
    timeout=30,
    memory=2048,
    example={"image": DIGIT},
    slot=DIGITS,
    batch=16,
    label="digit",
    keeps="image",
    dataset="mnist",
    preload=("agents.digits.ink", "agents.digits.reader"),
)
def digit_recognition(request: Request) -> Response:
    from agents.digits.ink import find  # OpenCV is for pool children, not for the worker itself

    digit = find(request.image)
    used = DIGITS.loaded()
    reading = used.read(digit.pixels)
    return Response(
        digit=reading.digit,
        confidence=reading.probabilities[reading.digit],
        probabilities=reading.probabilities,
        area=digit.area,
        light_on_dark=digit.light_on_dark,
        ink=round(float(digit.pixels.mean()) / 255, 4),
        model=used.bundle.name,
        model_version=used.bundle.version,
    )
