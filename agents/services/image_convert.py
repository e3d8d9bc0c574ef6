"""Write a picture in another format: jpeg, png, webp, gif, bmp or tiff.

Transparent pixels go onto white where the new format has no transparency. Of an animation or a file of several pages,
the first is taken. A picture that is already in the format keeps its bytes, except metadata, unless a quality is given.
"""

from typing import Annotated

from agents.imaging.example import PICTURE
from agents.imaging.picture import Picture
from streams.service import Doc, Format, Record, service


class Request(Record):
    image: Annotated[Picture, Doc("The picture.")]
    format: Annotated[Format, Doc("The format to write.")]
    quality: Annotated[
        int,
        Doc(
            "For jpeg and webp only. 0: nothing is lost where the format stays the same, else 90.",
            0,
            100,
        ),
    ] = 0


class Response(Record):
    image: Annotated[Picture, Doc("The picture in the new format.")]


@service(
    "image-convert",
    version="1.0.0",
    timeout=30,
    memory=2048,
    example={"image": PICTURE, "format": "webp", "quality": 80},
)
def image_convert(request: Request) -> Response:
    return Response(image=request.image.converted(request.format, request.quality or None))
