"""Tell the type of a white blood cell. Not for medical use.

Neutrophil, eosinophil, lymphocyte or monocyte. The picture is one that cell-preprocess made; the pipeline classify-cell
does both. Traits of the cell are measured (how lobed its nucleus is, how its cytoplasm is stained, how grainy both
are), and a small model that was trained on 214 pictures weighs them. Anything else, such as a basophil, is classified as
one of the four too. With another stain or camera than those pictures had, the answer says that the cell is not
`familiar`, and is unreliable.
"""

from typing import Annotated

from agents.cells.example import CELL
from agents.cells.slot import CELLS
from agents.cells.types import CellType
from agents.imaging.picture import Picture
from streams.service import Doc, Record, service

NOTICE = "not for medical use"


class Request(Record):
    image: Annotated[Picture, Doc("The cell as cell-preprocess cuts it out: 160 x 160 pixels.")]


class Probabilities(Record):
    """Of each type; they add up to 1."""

    neutrophil: float
    eosinophil: float
    lymphocyte: float
    monocyte: float


class Response(Record):
    cell_type: Annotated[CellType, Doc("The most probable type.")]
    confidence: Annotated[float, Doc("Its probability.", minimum=0, maximum=1)]
    probabilities: Annotated[Probabilities, Doc("Of every type.")]
    strangeness: Annotated[
        float,
        Doc("Distance of its traits from the usual: the root mean square, in standard deviations.", 0),
    ]
    familiar: Annotated[
        bool, Doc("Whether the cell looks like those that the model learned from; if not, the rest is unreliable.")
    ]
    model: Annotated[str, Doc("The model that answered.")]
    model_version: str
    notice: Annotated[str, Doc("What the answer must not be used for; show it wherever the answer is shown.")]


@service(
    "cell-classify",
    version="1.0.0",
    timeout=30,
    memory=2048,
    example={"image": CELL},
    slot=CELLS,
    label="cell_type",
    keeps="image",
    dataset="blood-cells/bccd",
    preload=("agents.cells.classifier", "agents.cells.crop", "agents.cells.traits"),
)
def cell_classify(request: Request) -> Response:
    from agents.cells.crop import cut_out  # OpenCV is for pool children, not for the worker itself
    from agents.cells.traits import traits

    used = CELLS.loaded()
    answer = used.tell(traits(cut_out(request.image)))
    probabilities = answer.probabilities
    kind = max(probabilities, key=lambda cell_type: probabilities[cell_type])
    return Response(
        cell_type=kind,
        confidence=probabilities[kind],
        probabilities=Probabilities(**{cell_type.value: probabilities.get(cell_type, 0.0) for cell_type in CellType}),
        strangeness=answer.strangeness,
        familiar=answer.familiar,
        model=used.bundle.name,
        model_version=used.bundle.version,
        notice=NOTICE,
    )
