"""Define services that report their progress."""

import asyncio
from typing import Annotated

from streams.service import call_context
from streams.service.contract import Doc, Record
from streams.service.declaration import service


class Much(Record):
    times: Annotated[int, Doc("How often it says something.", minimum=0)]


class Said(Record):
    times: Annotated[int, Doc("How often it has.")]


@service("talk", version="1.0.0")
def talk(request: Much) -> Said:
    """Says much at once, computing."""
    for index in range(request.times):
        call_context.progress(f"step {index + 1}", done=(index + 1) / request.times, step=index + 1)
    return Said(times=request.times)


@service("murmur", version="1.0.0")
async def murmur(request: Much) -> Said:
    """Says as much at once, waiting."""
    for index in range(request.times):
        call_context.progress(f"step {index + 1}", done=(index + 1) / request.times, step=index + 1)
        await asyncio.sleep(0)
    return Said(times=request.times)
