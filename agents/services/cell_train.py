"""Train a model that tells white blood cells apart, and let it serve if it is good enough.

It learns from the training originals of BCCD, or from a version of them that includes people's corrections. Other work continues
meanwhile; a machine trains one model at a time, and a second training reports what it waits for. The model is measured on the test originals,
registered, and compared there with the one that serves: if it is not worse by more than chance explains, it serves
`cell-classify` from then on, without an interruption. If it is, it stays registered, and `verdict` says why.
`millrace models use` goes back to any other. Not for medical use.
"""

from collections.abc import Mapping
from typing import Annotated

from agents.cells.types import CellType
from agents.imaging.picture import Picture
from agents.retraining.process import trained, usable
from streams.models.version_order import order
from streams.service import Doc, Record, service


class Request(Record):
    copies: Annotated[int, Doc("Varied copies of each cell that it learns from.", 1, 50)] = 10
    dataset: Annotated[str, Doc("The dataset version to learn from, `blood-cells/bccd@…`; empty: as published.")] = ""
    promote: Annotated[
        bool, Doc("Whether the model serves if it passes the gate; otherwise it is only registered.")
    ] = True


class Response(Record):
    model: Annotated[str, Doc("Name of the model.")]
    version: Annotated[str, Doc("Version of its content; its answers carry it.")]
    dataset: Annotated[str, Doc("The dataset version that it learned from.")]
    registered: Annotated[int, Doc("The number of its version in the registry of models.")]
    promoted: Annotated[bool, Doc("Whether it serves from now on.")]
    verdict: Annotated[str, Doc("The reason, with the figures.")]
    balanced_accuracy: Annotated[float, Doc("Mean of the recalls on the test originals.", 0, 1)]
    balanced_accuracy_unseen: Annotated[
        float, Doc("The same in the cross-validation, which has more pictures: what to expect of new ones.", 0, 1)
    ]
    recall: Annotated[
        Mapping[str, float], Doc("Of the test originals of each type, the share that is classified correctly.")
    ]
    confusion: Annotated[Picture, Doc("How the cells of each type were classified.")]


@service(
    "cell-train",
    version="1.0.0",
    deterministic=False,
    timeout=12 * 3600,  # others may have their turn before it
    memory=768,
    example={"copies": 10},
    check=usable,
    trains="cell-classify",
)
async def cell_train(request: Request) -> Response:
    wanted = {"copies": request.copies, "dataset": request.dataset, "promote": request.promote}
    options, ordered = {"copies": str(request.copies)}, order("cell-train", wanted)
    outcome = await trained("cells", 1, request.dataset, options, ordered, promote=request.promote)
    return Response(
        **outcome.answer,
        balanced_accuracy=outcome.figures["test.balanced_accuracy"],
        balanced_accuracy_unseen=outcome.figures["validation.balanced_accuracy"],
        recall={kind.value: outcome.figures[f"test.recall.{kind}"] for kind in CellType},
        confusion=Picture.decode(outcome.pictures["confusion"]),
    )
