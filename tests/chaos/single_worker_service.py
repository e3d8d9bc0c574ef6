"""Define a service that a single worker serves."""

import time
from typing import Annotated

from streams.service.contract import Doc, Record
from streams.service.declaration import service


class Seconds(Record):
    seconds: Annotated[float, Doc("How long.")]


@service("lonely", version="1.0.0", timeout=60)
def lonely(request: Seconds) -> Seconds:
    """Takes its time."""
    time.sleep(request.seconds)
    return request
