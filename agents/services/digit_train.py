"""Train a model that reads chosen digits, and let it serve if it is good enough.

It learns from MNIST, or from a version of it that includes people's corrections. Other work continues meanwhile; a machine
trains one model at a time, and a second training reports what it waits for. Every epoch is reported as progress. It is tested on all ten digits: those
that it did not learn are necessarily read wrongly. The model is registered, and compared with the one that serves on the digits that it
claims: if it is not worse, it serves `digit-recognition` from then on, without an interruption. If it is, it stays registered, and `verdict`
says why. One that knows fewer digits than what serves is held back unless `fewer` allows it; with `promote: false` any is. `millrace models use` goes back to any other.
"""

from collections.abc import Mapping
from typing import Annotated

from agents.imaging.picture import Picture
from agents.retraining.process import trained, usable
from streams.models.version_order import order
from streams.service import Doc, Record, service


class Request(Record):
    digits: Annotated[tuple[int, ...], Doc("The digits to learn, at least two.", 0, 9)]
    epochs: Annotated[int, Doc("How many times it sees every picture.", 1, 50)] = 8
    pictures: Annotated[
        int | None, Doc("Maximum number of pictures per digit to learn from: fewer is faster, and worse.", 10, 10_000)
    ] = None
    dataset: Annotated[str, Doc("The dataset version to learn from, `mnist@…`; empty: as published.")] = ""
    promote: Annotated[
        bool, Doc("Whether the model serves if it passes the gate; otherwise it is only registered.")
    ] = True
    fewer: Annotated[
        bool, Doc("Whether it may serve though it knows fewer digits than what serves: others are read wrongly then.")
    ] = False


class Response(Record):
    model: Annotated[str, Doc("It is named after its digits.")]
    version: Annotated[str, Doc("Version of its content; its answers carry it.")]
    dataset: Annotated[str, Doc("The dataset version that it learned from.")]
    registered: Annotated[int, Doc("The number of its version in the registry of models.")]
    promoted: Annotated[bool, Doc("Whether it serves from now on.")]
    verdict: Annotated[str, Doc("The reason, with the figures.")]
    accuracy: Annotated[float, Doc("Share of the test pictures of known digits that is right.", 0, 1)]
    accuracy_all: Annotated[float, Doc("Share of the test pictures of all ten digits that is right.", 0, 1)]
    recall: Annotated[
        Mapping[str, float], Doc("The same for each digit, 0 to 9; what it did not learn has none right.")
    ]
    confusion: Annotated[Picture, Doc("What each of the ten digits was read as.")]
    course: Annotated[Picture, Doc("Loss and accuracy over the epochs.")]


@service(
    "digit-train",
    version="1.0.0",
    deterministic=False,
    timeout=12 * 3600,
    memory=768,
    example={"digits": [0, 1, 2], "epochs": 3},
    check=usable,
    trains="digit-recognition",
)
async def digit_train(request: Request) -> Response:
    options = {"digits": ",".join(map(str, request.digits))}
    if request.pictures is not None:
        options["pictures"] = str(request.pictures)
    wanted = {name: getattr(request, name) for name in ("digits", "epochs", "pictures", "dataset", "promote", "fewer")}
    outcome = await trained(
        *("digits", request.epochs, request.dataset, options, order("digit-train", wanted)),
        promote=request.promote,
        fewer=request.fewer,
    )
    return Response(
        **outcome.answer,
        accuracy=outcome.figures["test.accuracy"],
        accuracy_all=outcome.figures["test.accuracy.all"],
        recall={str(digit): outcome.figures.get(f"test.recall.{digit}", 0.0) for digit in range(10)},
        confusion=Picture.decode(outcome.pictures["confusion"]),
        course=Picture.decode(outcome.pictures["course"]),
    )
