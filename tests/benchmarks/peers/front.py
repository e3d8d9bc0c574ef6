"""The HTTP front of every peer: takes a photo or a record, stores the photo, asks the peer, answers with the result as JSON."""

import asyncio
import importlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from starlette.datastructures import UploadFile

from tests.benchmarks.jobs import JOBS
from tests.benchmarks.peers import work

peer = importlib.import_module(f"tests.benchmarks.peers.{os.environ['PEER']}_app").Front()


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    await peer.start()
    yield


app = FastAPI(lifespan=_lifespan)


@app.post("/run/{name}")
async def run(name: str, request: Request) -> Any:
    """One run, to its result."""
    job = JOBS[name]
    if not job.pictures:
        return await peer.ask(job, await request.json())
    async with request.form() as form:
        photo = form["image"]
        assert isinstance(photo, UploadFile)
        data = await photo.read()
    ref = await asyncio.to_thread(work.put, data, "image/jpeg")
    return {"image": await peer.ask(job, ref)}
