"""Reading the input of a run from a request: a checked record, and the images that came with it."""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from gateway.api.limits import Limits
from gateway.api.problems import Fault, Kind, Problem
from gateway.data.objects import Objects
from gateway.http import body, multipart
from gateway.submission.uploads import UploadSlots
from schemas.errors import Nonconforming
from schemas.inspection import MOST
from schemas.refs import Ref, walk
from schemas.shapes import record_shape
from schemas.validation.conform import conform
from streams.service import media
from streams.service.errors import InvalidInput

_NOWHERE = "\0"
"""The key in place of a refused image; no client can send it, since text with a NUL is refused."""

_CHECKS_AT_ONCE = 16
"""Objects that are checked together."""

ACCEPTED = "application/json, multipart/form-data"


@dataclass
class UploadedImages:
    """The images of one request by SHA-256, each with the ref that stands for it in the record."""

    bucket: str
    run: str
    faults: list[Fault] = field(default_factory=list)
    objects: dict[str, tuple[Ref, bytes]] = field(default_factory=dict)
    _seen: set[Fault] = field(default_factory=set)

    def __call__(self, where: str, value: Any) -> Mapping[str, Any]:
        """Return the ref of an image that came as bytes or as a data URL; its problems are added to `faults`."""
        try:
            data = value if isinstance(value, bytes) else _from_url(value)
            ref = self._add(data)
        except InvalidInput as refusal:
            fault = Fault(where, refusal.reason, refusal.hint)
            # A field with several types is checked more than once.
            if fault not in self._seen and len(self._seen) < MOST:
                self._seen.add(fault)
                self.faults.append(fault)
            return Ref(self.bucket, _NOWHERE, 0, "", "").to_dict()
        return ref.to_dict()

    def _add(self, data: bytes) -> Ref:
        info = media.inspect(data)
        digest = hashlib.sha256(data).hexdigest()
        ref = Ref(self.bucket, f"runs/{self.run}/{digest}", len(data), digest, info.media_type)
        self.objects[digest] = ref, data
        return ref


@dataclass(frozen=True)
class Input:
    """A checked input record, and the objects to be stored before it is sent."""

    record: dict[str, Any]
    objects: list[tuple[Ref, bytes]]
    fingerprint: str
    """SHA-256 of the input: equal for equal inputs of different runs."""
    size: int
    """Characters of the record as JSON."""


@dataclass(frozen=True)
class _Checked:
    """A checked input, and the objects that it refers to without bringing them: each ref with its first place."""

    input: Input
    others: Mapping[Ref, str]


class InputReader:
    """Reads inputs within the limits of this gateway."""

    def __init__(self, limits: Limits, objects: Objects, uploads: UploadSlots) -> None:
        self._limits = limits
        self._objects = objects
        self._uploads = uploads

    def check_size(self, request: Request) -> None:
        """Refuse a body whose announced length is too large. Raises Problem (413)."""
        body.announced(request, self._limits.body)

    def slot(self, request: Request) -> AbstractAsyncContextManager[Request]:
        """Take an upload slot for a body that is not small; the request to read it from is lent."""
        return nullcontext(request) if body.is_small(request) else self._uploads.slot(request)

    async def read(self, request: Request, schema: Mapping[str, Any], run: str) -> Input:
        """Return the input that a request carries for a pipeline whose input has this Avro schema.

        Raises Problem: 400, 408, 413, 415, and 422 with everything that does not fit.
        """
        uploads = UploadedImages(self._objects.bucket, run)
        faults, checked = uploads.faults, None
        raw = await _raw(request, schema, self._limits)
        check = partial(_checked, schema, raw, uploads)
        try:
            checked = check() if body.is_small(request) else await asyncio.to_thread(check)
        except Nonconforming as error:
            faults += [Fault(problem.where, problem.problem, problem.hint) for problem in error.problems]
        if checked is not None:
            faults += await _unreadable(checked.others, self._objects)
        if faults or checked is None:
            raise Problem(Kind.INVALID, "The input does not fit; its problems are listed.", faults)
        return checked.input


def _checked(schema: Mapping[str, Any], raw: Any, uploads: UploadedImages) -> _Checked:
    """Check a raw input; the time this takes grows with its size. Raises Nonconforming."""
    record = conform(schema, raw, image=uploads)
    own = {ref.key for ref, _ in uploads.objects.values()} | {_NOWHERE}
    others: dict[Ref, str] = {}
    for where, ref in walk(schema, record):
        if ref.key not in own:
            others.setdefault(ref, where)
    text = body.canonical(_without_place(record, own))
    return _Checked(Input(record, list(uploads.objects.values()), hashlib.sha256(text).hexdigest(), len(text)), others)


async def _unreadable(refs: Mapping[Ref, str], objects: Objects) -> list[Fault]:
    """Return why these refs may not be sent, checking a few at a time: the store has other callers too."""
    items, faults = list(refs.items()), list[Fault]()
    for first in range(0, len(items), _CHECKS_AT_ONCE):
        checks = (objects.may_read(where, ref) for ref, where in items[first : first + _CHECKS_AT_ONCE])
        faults += [fault for fault in await asyncio.gather(*checks) if fault]
        if len(faults) >= MOST:
            break
    return faults


async def _raw(request: Request, schema: Mapping[str, Any], limits: Limits) -> Any:
    kind = body.media_type(request)
    if kind == "multipart/form-data":
        async with multipart.form(request, limits) as parts:
            return await multipart.record(parts, record_shape(schema), limits)
    data = await body.read(request, limits.json)
    if not data.strip():
        return {}
    if kind not in ("application/json", "") and not kind.endswith("+json"):
        raise Problem(Kind.MEDIA, f"{kind} is not taken; send one of {ACCEPTED}.", headers={"Accept-Post": ACCEPTED})
    return await body.parse(data, limits)


def _from_url(value: Any) -> bytes:
    """Return the bytes of a data URL. Raises InvalidInput."""
    hint = "send a file part, a data URL (data:image/jpeg;base64,…) or the ref of a stored object"
    if not isinstance(value, str) or not value[:5].lower() == "data:":
        raise InvalidInput("expected an image", hint)
    head, comma, text = value[5:].partition(",")
    if not comma:
        raise InvalidInput("the data URL has no comma", hint)
    if text.count("%") > body.MOST:
        raise InvalidInput(f"the data URL has more than {body.MOST:,} escaped characters", hint)
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(text)
    if len(text) * 3 // 4 > media.LIMITS.size + 3:
        raise InvalidInput(
            f"the image is larger than {media.LIMITS.size} bytes", "send a smaller or more compressed one"
        )
    try:
        return base64.b64decode(unquote_to_bytes(text), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("the data URL is not base64 after its comma", hint) from None


def _without_place(value: Any, keys: set[str]) -> Any:
    """Return a value in which refs to these objects stand without their key, which depends on the run."""
    if isinstance(value, Mapping):
        if value.get("key") in keys and "sha256" in value:
            return {"sha256": value["sha256"], "media_type": value["media_type"]}
        return {name: _without_place(item, keys) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_place(item, keys) for item in value]
    return value
