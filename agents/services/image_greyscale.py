"""Turn a picture to shades of grey.

The grey of a pixel is its luminance by ITU-R BT.601; transparency is kept.
"""

from typing import Annotated

from agents.imaging.example import PICTURE
from agents.imaging.picture import Picture
from streams.service import Doc, Record, service


class Request(Record):
    image: Annotated[Picture, Doc("The picture.")]


class Response(Record):
    image: Annotated[Picture, Doc("The picture in grey, in the format it came in.")]


@service("image-greyscale", version="1.0.0", timeout=20, memory=2048, example={"image": PICTURE})
def image_greyscale(request: Request) -> Response:
    return Response(image=request.image.replaced(request.image.grey()))
