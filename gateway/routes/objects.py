"""The bytes of objects (images and other outputs), with headers that keep a browser from running them."""

import re

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from gateway.api.problems import Kind, Problem
from gateway.data.objects import ObjectMeta, digest_of
from gateway.dependencies import ObjectsDep
from schemas.refs import readable
from streams.runtime.errors import Missing

router = APIRouter(tags=["objects"])

SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"})
"""Media types that a browser may show in place."""
SAVED = SHOWN | {"application/json", "text/csv", "text/plain", "application/zip", "application/gzip", "application/pdf"}
"""Media types that are named in the answer; anything else is sent as bytes."""
_SUFFIXES = {"image/jpeg": "jpg", "image/tiff": "tif", "text/plain": "txt", "application/gzip": "gz"}
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


@router.get(
    "/objects/{bucket}/{key:path}",
    summary="The bytes of a ref",
    response_class=Response,
    responses={206: {"description": "The range that was asked for."}, 304: {"description": "You have it already."}},
)
async def read(bucket: str, key: str, request: Request, objects: ObjectsDep) -> Response:
    """With the media type found when it was stored; one range may be asked for; the ETag is the SHA-256."""
    missing = Problem(
        Kind.NOT_FOUND, f"There is no object {bucket:.80}/{key:.200}; those of a run go some time after its end."
    )
    if bucket != objects.bucket or not readable(key):
        raise missing
    try:
        meta = await objects.meta(key)
    except Missing:
        raise missing from None
    headers = _headers(meta)
    if _has(request.headers.get("if-none-match", ""), meta.etag):
        return Response(status_code=304, headers=headers)
    span = _span(request, meta)
    start, stop = span or (0, meta.size)
    headers["Content-Length"] = str(stop - start)
    if span:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{meta.size}"
    status = 206 if span else 200
    _, chunks = await objects.open(key, start, stop)
    return StreamingResponse(chunks, status, headers)


def _headers(meta: ObjectMeta) -> dict[str, str]:
    media_type = meta.media_type if meta.media_type in SAVED else "application/octet-stream"
    suffix = _SUFFIXES.get(media_type, media_type.rpartition("/")[2] if media_type in SAVED else "bin")
    name = meta.key.rpartition("/")[2]
    if digest_of(meta.key):
        name = f"{name[:12]}.{suffix}"
    return {
        "Content-Type": media_type,
        "Content-Disposition": f'{"inline" if media_type in SHOWN else "attachment"}; filename="{name}"',
        "ETag": f'"{meta.etag}"',
        "Accept-Ranges": "bytes",
        # What is addressed by its content never changes.
        "Cache-Control": "private, max-age=86400, immutable" if digest_of(meta.key) else "private, no-cache",
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    }


def _has(header: str, etag: str) -> bool:
    return header.strip() == "*" or any(tag.strip().removeprefix("W/") == f'"{etag}"' for tag in header.split(","))


def _span(request: Request, meta: ObjectMeta) -> tuple[int, int] | None:
    """Return the requested range as (first, past the last); None for the whole object. Raises Problem (416)."""
    requested = _RANGE.fullmatch(request.headers.get("range", "").strip())
    condition = request.headers.get("if-range")
    if requested is None or not any(requested.groups()) or (condition is not None and condition != f'"{meta.etag}"'):
        return None
    first, last = requested.groups()
    if first:
        start, stop = int(first), min(int(last) + 1, meta.size) if last else meta.size
    else:
        start, stop = max(0, meta.size - int(last)), meta.size
    if start >= meta.size or start >= stop:
        raise Problem(
            Kind.RANGE,
            f"The object has {meta.size} bytes.",
            headers={"Content-Range": f"bytes */{meta.size}"},
        )
    return start, stop
