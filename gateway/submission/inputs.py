"""From a request's body to a checked input record, and to the objects that it brings."""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from gateway.api.limits import Limits
from gateway.api.problems import Fault, Kind, Problem
from gateway.data.objects import Objects
from gateway.http import body, multipart
from schemas.errors import Nonconforming
from schemas.inspection import MOST
from schemas.refs import Ref, walk
from schemas.shapes import record_shape
from schemas.validation.conform import conform
from streams.service import media
from streams.service.errors import InvalidInput

_NOWHERE = "\0"
"""The key in place of an image that was refused; nobody can send it, since text with a NUL is not taken."""

_AT_ONCE = 16
"""Objects that are looked at together."""

TAKEN = "application/json, multipart/form-data"


@dataclass
class UploadedImages:
    """The images that one request brings, by SHA-256, each with the ref that the record carries."""

    bucket: str
    run: str
    faults: list[Fault] = field(default_factory=list)
    objects: dict[str, tuple[Ref, bytes]] = field(default_factory=dict)
    _seen: set[Fault] = field(default_factory=set)

    def __call__(self, where: str, value: Any) -> Mapping[str, Any]:
        """The ref of an image that came as bytes or as a data URL; what is wrong with it is noted."""
        try:
            data = value if isinstance(value, bytes) else _from_url(value)
            ref = self._take(data)
        except InvalidInput as refusal:
            fault = Fault(where, refusal.reason, refusal.hint)
            # A field with several types is looked at more than once.
            if fault not in self._seen and len(self._seen) < MOST:
                self._seen.add(fault)
                self.faults.append(fault)
            return Ref(self.bucket, _NOWHERE, 0, "", "").to_dict()
        return ref.to_dict()

    def _take(self, data: bytes) -> Ref:
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
    """SHA-256 of what was sent: equal for equal inputs, whatever run they are for."""
    size: int
    """Characters of the record as JSON."""


@dataclass(frozen=True)
class _Checked:
    """What a checked record comes to, and the objects of others that it names: each ref with its first place."""

    input: Input
    others: Mapping[Ref, str]


async def read(request: Request, schema: Mapping[str, Any], run: str, limits: Limits, objects: Objects) -> Input:
    """The input that a request carries for a pipeline whose input has this Avro schema.

    Raises Problem: 400, 408, 413, 415, and 422 with everything that does not fit.
    """
    deposit = UploadedImages(objects.bucket, run)
    faults, made = deposit.faults, None
    raw = await _raw(request, schema, limits)
    check = partial(_checked, schema, raw, deposit)
    try:
        made = check() if body.is_small(request) else await asyncio.to_thread(check)
    except Nonconforming as error:
        faults += [Fault(problem.where, problem.problem, problem.hint) for problem in error.problems]
    if made is not None:
        faults += await _unreadable(made.others, objects)
    if faults or made is None:
        raise Problem(Kind.INVALID, "The input does not fit; its problems are listed.", faults)
    return made.input


def _checked(schema: Mapping[str, Any], raw: Any, deposit: UploadedImages) -> _Checked:
    """All that takes time with the size of an input. Raises Nonconforming."""
    made = conform(schema, raw, image=deposit)
    mine = {ref.key for ref, _ in deposit.objects.values()} | {_NOWHERE}
    others: dict[Ref, str] = {}
    for where, ref in walk(schema, made):
        if ref.key not in mine:
            others.setdefault(ref, where)
    text = body.canonical(_without(made, mine))
    return _Checked(Input(made, list(deposit.objects.values()), hashlib.sha256(text).hexdigest(), len(text)), others)


async def _unreadable(refs: Mapping[Ref, str], objects: Objects) -> list[Fault]:
    """Why these refs may not be sent. A few at a time: the store has other callers too."""
    all_, faults = list(refs.items()), list[Fault]()
    for first in range(0, len(all_), _AT_ONCE):
        some = all_[first : first + _AT_ONCE]
        faults += [one for one in await asyncio.gather(*(objects.may_read(where, ref) for ref, where in some)) if one]
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
        raise Problem(Kind.MEDIA, f"{kind} is not taken; send one of {TAKEN}.", headers={"Accept-Post": TAKEN})
    return await body.parse(data, limits)


def _from_url(value: Any) -> bytes:
    """The bytes of a data URL. Raises InvalidInput."""
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


def _without(value: Any, keys: set[str]) -> Any:
    """A value in which refs to these objects stand without their place, which depends on the run."""
    if isinstance(value, Mapping):
        if value.get("key") in keys and "sha256" in value:
            return {"sha256": value["sha256"], "media_type": value["media_type"]}
        return {name: _without(item, keys) for name, item in value.items()}
    if isinstance(value, list):
        return [_without(item, keys) for item in value]
    return value
