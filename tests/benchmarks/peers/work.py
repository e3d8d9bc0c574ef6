"""What every peer does for a step: the very function that Millrace's agent calls, with S3 around it where there is a picture."""

import asyncio
import hashlib
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import obstore
from obstore.store import S3Store

from schemas.refs import Ref
from streams.service.child_calls import call, wait
from tests.benchmarks.jobs import Job

BUCKET = os.environ.get("MILLRACE_S3_BUCKET", "millrace")


@cache
def _store() -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=os.environ["MILLRACE_S3"],
        access_key_id=os.environ["MILLRACE_S3_ACCESS_KEY"],
        secret_access_key=os.environ["MILLRACE_S3_SECRET_KEY"],
        region="us-east-1",
        virtual_hosted_style_request=False,
        unsigned_payload=True,  # as Millrace does on one machine
        client_options={"allow_http": True},
    )


def put(data: bytes, media_type: str) -> dict[str, Any]:
    """Stores bytes by their content; their ref."""
    sha256 = hashlib.sha256(data).hexdigest()
    key = f"peers/{sha256}"
    obstore.put(_store(), key, data, attributes={"Content-Type": media_type}, use_multipart=False)
    return Ref(BUCKET, key, len(data), sha256, media_type).to_dict()


def get(key: str) -> bytes:
    """The bytes under a key."""
    return bytes(obstore.get(_store(), key).bytes())


def picture_step(job: Job, number: int, ref: Mapping[str, Any]) -> dict[str, Any]:
    """The ref of what one step of a job makes of a picture."""
    step = job.steps[number]
    data = get(ref["key"])
    made = call(step.module, step.service, {"image": dict(ref), **step.more}, {ref["sha256"]: data})
    (one,) = made.objects
    return put(one.data, one.media_type)


async def score(job: Job, record: Mapping[str, Any]) -> dict[str, Any]:
    """A customer's score."""
    (step,) = job.steps
    made = await wait(step.module, step.service, record, {})
    return made.output


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def score_now(job: Job, record: Mapping[str, Any]) -> dict[str, Any]:
    """The same for who has no event loop; one of its own stays, with its connections to the database."""
    return _loop().run_until_complete(score(job, record))
