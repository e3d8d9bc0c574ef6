"""Cut areas out of a picture, one new picture each.

Every area must lie inside the picture; one that does not is refused by its position in the list, since a smaller cut
than asked for would be a wrong answer.
"""

from typing import Annotated

from agents.imaging.area import Area
from agents.imaging.example import PICTURE
from agents.imaging.picture import Picture
from streams.service import Doc, Record, service


class Request(Record):
    image: Annotated[Picture, Doc("The picture.")]
    areas: Annotated[tuple[Area, ...], Doc("What to cut out, in pixels of the upright picture.")]


class Response(Record):
    images: Annotated[
        tuple[Picture, ...], Doc("One picture per area, in the same order and in the format of the original.")
    ]


@service(
    "image-crop",
    version="1.0.0",
    timeout=20,
    memory=2048,
    example={"image": PICTURE, "areas": [{"x": 4, "y": 4, "width": 24, "height": 16}]},
)
def image_crop(request: Request) -> Response:
    image = request.image
    boxes = [area.inside(image.size, f"areas[{index}]").box() for index, area in enumerate(request.areas)]
    return Response(images=tuple(image.replaced(image.pixels.crop(box)) for box in boxes))
