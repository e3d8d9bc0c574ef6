"""Objects in S3, addressed by their content inside their run.

obstore's async functions are not used: at the end of a short program its threads may still call into the interpreter,
which aborts it (status 134, 3 runs of 20). Its blocking functions in threads of our own are as fast, and aborted none.
"""

import asyncio
import functools
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, InvalidPathError, NotFoundError
from obstore.store import S3Store

from schemas.refs import Ref, readable
from streams.runtime.errors import Missing, StoreUnavailable
from streams.runtime.retrying import Outages, retry_until_available
from streams.settings import Settings

log = logging.getLogger(__name__)
T = TypeVar("T")

_THREADS = 16
_REGION = "us-east-1"
_REFUSED = re.compile(r"status code: 4(0[0456]|1[0-9]|22)\b")
"""Status codes of requests that S3 will never take; those for missing rights and for too many requests are not among them."""


class Store:
    """One bucket. When the server does not answer, calls raise StoreUnavailable, or with `outages` wait until it does."""

    def __init__(self, settings: Settings, outages: Outages | None = None) -> None:
        self.bucket = settings.s3_bucket
        self._settings = settings
        self._outages = outages
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")
        self._client = S3Store(
            settings.s3_bucket,
            endpoint=settings.s3,
            access_key_id=settings.s3_access_key,
            secret_access_key=settings.s3_secret_key,
            region=_REGION,
            virtual_hosted_style_request=False,
            unsigned_payload=needs_no_body_signature(settings.s3),
            client_options={"allow_http": True, "connect_timeout": "3s", "timeout": "60s"},
            retry_config={"max_retries": 1},  # outages are waited out in `_waited`, which reports them
        )

    def close(self) -> None:
        """Stop the threads after the present calls."""
        self._threads.shutdown(wait=True)

    def key(self, run: str, sha256: str) -> str:
        """Build the key of an object of a run."""
        return f"runs/{run}/{sha256}"

    async def put(self, run: str, data: bytes, media_type: str) -> Ref:
        """Store bytes among the run's objects, under their hash; storing them again changes nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        key = self.key(run, sha256)
        await self.write(key, data, media_type)
        return Ref(self.bucket, key, len(data), sha256, media_type)

    async def write(self, key: str, data: bytes, media_type: str = "application/octet-stream") -> None:
        """Store bytes under a key."""
        attributes = {"Content-Type": media_type}
        await self._do(lambda: obstore.put(self._client, key, data, attributes=attributes, use_multipart=False))

    async def create(self, key: str, data: bytes) -> bool:
        """Store bytes if the key does not exist yet. Returns whether it did; of several calls at once exactly one does."""

        def attempt() -> bool:
            try:
                obstore.put(self._client, key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

        return await self._do(attempt)

    async def get(self, ref: Ref) -> bytes:
        """Read the object of a ref. Raises Missing when there is none, the ref may not name it, or its bytes differ."""
        if ref.bucket != self.bucket or not readable(ref.key):
            raise Missing(f"{ref.bucket}/{ref.key:.120} is not an object that a reference may name")
        data = await self.read(ref.key)
        if len(data) != ref.size or hashlib.sha256(data).hexdigest() != ref.sha256:
            raise Missing(f"{ref.bucket}/{ref.key} holds other bytes than its reference says")
        return data

    async def get_all(self, refs: Iterable[Ref]) -> dict[str, bytes]:
        """Read the objects of several refs at once, by their hash. Raises Missing."""
        wanted = {ref.sha256: ref for ref in refs}
        objects = await asyncio.gather(*(self.get(ref) for ref in wanted.values()))
        return dict(zip(wanted, objects, strict=True))

    async def read(self, key: str) -> bytes:
        """Read the object under a key. Raises Missing."""
        try:
            return await self._do(lambda: bytes(obstore.get(self._client, key).bytes()))
        except (NotFoundError, FileNotFoundError):
            raise Missing(f"there is no object {self.bucket}/{key}") from None

    async def has(self, key: str) -> bool:
        """Look whether there is an object under a key."""
        try:
            await self._do(lambda: obstore.head(self._client, key))
        except (NotFoundError, FileNotFoundError, Missing):
            return False
        return True

    async def copy(self, key: str, to: str) -> None:
        """Copy an object inside the store, with its media type. Raises Missing."""
        try:
            await self._do(lambda: obstore.copy(self._client, key, to))
        except (NotFoundError, FileNotFoundError):
            raise Missing(f"there is no object {self.bucket}/{key}") from None

    async def list(self, prefix: str) -> list[str]:
        """List the keys with a prefix."""
        return await self._do(lambda: [meta["path"] for batch in obstore.list(self._client, prefix) for meta in batch])

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""
        wanted = list(keys)
        if wanted:
            await self._do(lambda: obstore.delete(self._client, wanted))

    async def healthy(self) -> bool:
        """Look whether the server answers now."""
        try:
            await self._attempt(lambda: next(iter(obstore.list(self._client, "health/")), None))
        except (StoreUnavailable, BaseError):
            return False
        return True

    async def ensure_bucket(self) -> None:
        """Create the bucket if it is missing."""
        try:
            await self._do(lambda: next(iter(obstore.list(self._client, "health/")), None))
        except (NotFoundError, FileNotFoundError):
            await self._waited(lambda: self._in_thread(self._make_bucket))

    def _make_bucket(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        client = s3_admin(self._settings)
        try:
            client.create_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise StoreUnavailable(f"the bucket {self.bucket} cannot be made: {error}") from error
        except BotoCoreError as error:
            raise StoreUnavailable(str(error)) from error

    async def _do(self, action: Callable[[], T]) -> T:
        return await self._waited(lambda: self._attempt(action))

    async def _waited(self, action: Callable[[], Awaitable[T]]) -> T:
        return (
            await action()
            if self._outages is None
            else await retry_until_available(self._outages, "s3", action, StoreUnavailable)
        )

    async def _attempt(self, action: Callable[[], T]) -> T:
        try:
            return await self._in_thread(action)
        except (NotFoundError, AlreadyExistsError, FileNotFoundError):
            raise
        except (BaseError, ValueError) as error:
            if isinstance(error, ValueError | InvalidPathError) or _REFUSED.search(str(error)):
                raise Missing(_first_line(error)) from error
            raise StoreUnavailable(_first_line(error)) from error

    async def _in_thread(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, action)


@functools.lru_cache(maxsize=8)
def _admin(endpoint: str, access_key: str, secret_key: str) -> Any:
    """Make a boto3 client. Its checksum settings suit servers other than AWS's too."""
    import boto3  # here: the import takes a third of a second, and most processes do not need it
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=_REGION,
        config=Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"},
            connect_timeout=3,
            retries={"max_attempts": 1},
        ),
    )


def s3_admin(settings: Settings) -> Any:
    """Make the boto3 client of an installation, for administration and presigned URLs; cached, because making one is slow."""
    return _admin(settings.s3, settings.s3_access_key, settings.s3_secret_key)


def needs_no_body_signature(endpoint: str) -> bool:
    """Say whether a body cannot be changed on its way: TLS protects it, or it does not leave the machine.

    Requests are signed all the same. Signing a body costs a hash on both sides: S3Proxy spends half of a put on it.
    """
    parts = urlsplit(endpoint)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:  # a host name
        return False


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]
