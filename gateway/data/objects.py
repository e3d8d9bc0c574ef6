"""Objects of the bucket as callers may see them: their bytes, and whether they match a ref."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import obstore
from obstore.exceptions import NotFoundError

from gateway.api.problems import Fault
from schemas.refs import Ref, readable
from streams.runtime.errors import Missing
from streams.runtime.storage.store import Store

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class ObjectMeta:
    """Metadata of an object. `media_type` was given when it was stored; "" when none was."""

    key: str
    size: int
    media_type: str
    etag: str
    """The SHA-256 where the key has it, else the store's own tag of this version."""


def digest_of(key: str) -> str | None:
    """Return the SHA-256 that a content-addressed key ends with; None for other keys."""
    name = key.rpartition("/")[2]
    return name if _SHA256.fullmatch(name) else None


class Objects(Store):
    """The bucket. Every call raises StoreUnavailable when S3 does not answer."""

    async def meta(self, key: str) -> ObjectMeta:
        """Return the metadata of the object under a key. Raises Missing."""
        try:
            head = await self._do(lambda: obstore.get(self._client, key, options={"head": True}))
        except (NotFoundError, FileNotFoundError):
            raise Missing(f"there is no object {self.bucket}/{key}") from None
        kind = str(head.attributes.get("Content-Type", "")).partition(";")[0].strip().lower()
        etag = digest_of(key) or str(head.meta.get("e_tag") or "").strip('"')
        return ObjectMeta(key, head.meta["size"], kind, etag)

    async def open(self, key: str, start: int = 0, end: int | None = None) -> tuple[ObjectMeta, AsyncIterator[bytes]]:
        """Return an object's metadata, and its bytes from `start` up to `end`, read as they are consumed. Raises Missing."""
        meta = await self.meta(key)
        stop = meta.size if end is None else min(end, meta.size)
        return meta, self._chunks(key, start, stop)

    async def may_read(self, where: str, ref: Ref) -> Fault | None:
        """Return why a caller may not send this ref; None when the object matches it and may be read."""
        hint = "use a ref as an output of a run showed it"
        if ref.bucket != self.bucket or not readable(ref.key):
            return Fault(where, f"{ref.bucket}/{ref.key:.120} is not an object that you may read", hint)
        try:
            meta = await self.meta(ref.key)
        except Missing:
            return Fault(where, f"there is no object {ref.bucket}/{ref.key:.120}", hint)
        if meta.size != ref.size:
            return Fault(where, f"the object has {meta.size} bytes, and the ref says {ref.size}", hint)
        digest = digest_of(ref.key) or await self._digest(ref.key)
        if digest != ref.sha256:
            return Fault(where, f"the object's SHA-256 is {digest}, and the ref says {ref.sha256:.64}", hint)
        if meta.media_type and meta.media_type != ref.media_type:
            return Fault(where, f"the object is {meta.media_type}, and the ref says {ref.media_type:.80}", hint)
        return None

    async def store(self, objects: Iterable[tuple[Ref, bytes]]) -> None:
        """Store what a request brought."""
        await asyncio.gather(*(self.write(ref.key, data, ref.media_type) for ref, data in objects))

    async def _chunks(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        if start >= stop:
            return
        result = await self._do(lambda: obstore.get(self._client, key, options={"range": (start, stop)}))
        stream = iter(result.stream(min_chunk_size=_CHUNK))
        while (chunk := await self._do(lambda: next(stream, None))) is not None:
            yield bytes(chunk)

    async def _digest(self, key: str) -> str:
        digest = hashlib.sha256()
        _, chunks = await self.open(key)
        async for chunk in chunks:
            digest.update(chunk)
        return digest.hexdigest()
