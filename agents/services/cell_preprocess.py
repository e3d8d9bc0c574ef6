"""Find the white blood cell of a microscope picture, and cut it out for cell-classify.

The picture is of a stained blood smear (Wright, Giemsa, or alike), a whole field or a single cell. The cell is found by its
nucleus, the only thing in blood that is stained purple, whatever the exact stain and light; its cytoplasm by what is
stained around it. It is cut out with some of its surroundings, scaled so that all cells have the same size, and
normalised to the same light. Of several white cells, the one with the largest nucleus is taken, and their number is given;
a picture without one is refused. Not for medical use.
"""

from typing import Annotated

from agents.cells.example import SMEAR
from agents.imaging.area import Area
from agents.imaging.picture import Picture
from streams.service import Doc, Format, Record, service

FINDER, FINDER_VERSION = "stained_nucleus", "1"
"""Named, so that its answers are kept as predictions, with the whole fields that they are of."""


class Request(Record):
    image: Annotated[Picture, Doc("A microscope picture of a stained blood smear, with a white cell.")]


class Response(Record):
    image: Annotated[Picture, Doc("The cell in the middle of 160 x 160 pixels, a PNG; empty plasma is light grey.")]
    area: Annotated[Area, Doc("Where the cell is, with its cytoplasm.")]
    cells: Annotated[
        int, Doc("How many white cells the picture shows; this is the one with the largest nucleus.", minimum=1)
    ]
    model: Annotated[str, Doc("What found it: optical rules, which were not trained.")]
    model_version: str


@service(
    "cell-preprocess",
    version="1.0.0",
    timeout=30,
    memory=2048,
    example={"image": SMEAR},
    keeps="image",
    preload=("agents.cells.crop",),
)
def cell_preprocess(request: Request) -> Response:
    from agents.cells.crop import white_cell  # OpenCV is for pool children, not for the worker itself

    cell = white_cell(request.image)
    return Response(
        image=Picture(request.image.source, cell.image(), Format.PNG),
        area=cell.area,
        cells=cell.cells,
        model=FINDER,
        model_version=FINDER_VERSION,
    )
