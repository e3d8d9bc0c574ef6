"""Multipart bodies: parts become the fields of an input record, by the input's schema."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from gateway.api.limits import Limits
from gateway.api.problems import Fault, Kind, Problem
from gateway.http.body import JsonBudget, announced, parse, too_large
from gateway.http.multipart_parser import Parser, from_first
from schemas.primitives import BOOLEAN, STRING, Primitive
from schemas.shapes import AnyShape, Array, Enum, Field, Record, RefShape, Shape, branches

DATA = "data"
"""The part that holds all other inputs, as one JSON object."""
_CHECKED = {"on": True, "off": False}
"""What a browser sends for a checked box, and its opposite."""


@asynccontextmanager
async def form(request: Request, limits: Limits) -> AsyncIterator[FormData]:
    """Lend the parts of a body; large files are on disk, and removed afterwards. Raises Problem (400, 413)."""
    announced(request, limits.body)
    parser = Parser(
        request.headers,
        from_first(_bounded(request, limits.body), request.headers.get("content-type", "")),
        max_files=limits.parts,
        max_fields=limits.parts,
        max_part_size=limits.json,
    )
    try:
        parts = await parser.parse()
    except MultiPartException as error:
        raise _unreadable(error.message) from None
    except UnicodeError as error:
        raise _unreadable(f"its charset: {error}") from None
    try:
        if not parser.ended:
            raise _unreadable("it is truncated: the boundary that ends it (--boundary--) is missing")
        yield parts
    finally:
        await parts.close()


def _unreadable(why: str) -> Problem:
    return Problem(Kind.BAD_REQUEST, f"The multipart body cannot be read: {why}")


async def _bounded(request: Request, ceiling: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async with contextlib.aclosing(request.stream()) as stream:
        async for chunk in stream:
            size += len(chunk)
            if size > ceiling:
                raise too_large(ceiling)
            yield chunk


@dataclass
class _Reading:
    """The state of reading the parts of one body."""

    limits: Limits
    faults: list[Fault] = field(default_factory=list)
    _tally: JsonBudget = field(default_factory=JsonBudget)

    async def parse(self, text: str, where: str = "") -> Any:
        """Return the value of a part in JSON. Raises Problem (400, 413)."""
        return await parse(text, self.limits, where, self._tally)


async def record(parts: FormData, of: Record, limits: Limits) -> dict[str, Any]:
    """Return the input record of the parts; the content of a file is bytes where an image is expected.

    Raises Problem: 422 with every part that fits no input, 413.
    """
    to = _Reading(limits)
    faults = to.faults
    record: dict[str, Any] = {}
    together: dict[str, Any] = {}
    for name in dict.fromkeys(parts):
        field = of.field(name)
        values = [value for value in parts.getlist(name) if field is None or not _left_out(field, value)]
        if field is None and name == DATA:
            together = await _together(values, to)
        elif name in of.unwanted:
            faults.append(Fault(name, f"is not taken: {of.unwanted[name]}", "leave it out"))
        elif field is None:
            names = ", ".join(each.name for each in of.fields) or "none"
            faults.append(Fault(name, "this is not an input", f"the inputs are: {names}; or one JSON part `{DATA}`"))
        elif len(values) > 1 and not _is_list(field):
            faults.append(Fault(name, f"given {len(values)} times, taken once", "only a list may be repeated"))
        elif values:
            record[name] = await _value(name, field, values, to)
    faults += [Fault(name, f"given in `{DATA}` and as a part of its own") for name in together if name in record]
    if faults:
        raise Problem(Kind.INVALID, "Some parts do not fit the input.", faults)
    return together | record


async def _together(values: list[UploadFile | str], to: _Reading) -> dict[str, Any]:
    if len(values) > 1:
        to.faults.append(Fault(DATA, f"given {len(values)} times, taken once"))
        return {}
    value = await _json(DATA, values[0], to)
    if isinstance(value, dict):
        return value
    to.faults.append(Fault(DATA, "expected one JSON object with the inputs"))
    return {}


async def _value(name: str, field: Field, values: list[UploadFile | str], to: _Reading) -> Any:
    if _is_image(field.shape):
        return await _image(name, values[0], to)
    items = next((branch.items for branch in branches(field.shape) if isinstance(branch, Array)), None)
    if items is None:
        return await _plain(name, field.shape, values[0], to)
    if _is_image(items):
        if len(values) == 1 and isinstance(values[0], str) and values[0].lstrip().startswith("["):
            return await _json(name, values[0], to)
        return [await _image(f"{name}[{index}]", value, to) for index, value in enumerate(values)]
    if len(values) == 1:
        return await _json(name, values[0], to)
    return [await _plain(f"{name}[{index}]", items, value, to) for index, value in enumerate(values)]


async def _image(where: str, value: UploadFile | str, to: _Reading) -> Any:
    if isinstance(value, UploadFile):
        return await value.read()
    if value.lstrip().startswith("{"):
        return await _json(where, value, to)
    return value


def _left_out(field: Field, value: UploadFile | str) -> bool:
    """Return whether a browser's form sends this for a field that was not filled in."""
    if isinstance(value, UploadFile):
        return not (value.filename or value.size)
    empty = not (field.required or value.strip())
    texts = any(kind == STRING or isinstance(kind, AnyShape) for kind in branches(field.shape))
    return empty and (field.enum is not None or not texts)


async def _plain(where: str, of: Shape, value: UploadFile | str, to: _Reading) -> Any:
    kinds = list(branches(of))
    if isinstance(value, str) and value in _CHECKED and BOOLEAN in kinds:
        return _CHECKED[value]
    if any(isinstance(kind, Enum) or (isinstance(kind, Primitive) and kind.unquoted) for kind in kinds):
        return await _text(where, value, to)
    if any(isinstance(kind, AnyShape) for kind in kinds) and isinstance(value, str):
        try:
            return await to.parse(value)
        except Problem as problem:
            if problem.kind is Kind.TOO_LARGE:
                raise
            return await _text(where, value, to)
    return await _json(where, value, to)


async def _json(where: str, value: UploadFile | str, to: _Reading) -> Any:
    text = await _text(where, value, to)
    if text is None:
        return None
    try:
        return await to.parse(text, where)
    except Problem as problem:
        if problem.kind is Kind.TOO_LARGE:
            raise
        hint = 'every part but images and text is JSON: 0.8, true, [1, 2], {"x": 1}'
        to.faults += [Fault(where, fault.problem, hint) for fault in problem.errors]
        return None


async def _text(where: str, value: UploadFile | str, to: _Reading) -> str | None:
    if isinstance(value, UploadFile):
        if (value.size or 0) > to.limits.json:
            to.faults.append(Fault(where, f"larger than {to.limits.json} bytes"))
            return None
        try:
            value = (await value.read()).decode("utf-8-sig")
        except UnicodeDecodeError:
            to.faults.append(Fault(where, "a file where text is expected", "only images are sent as files"))
            return None
    if "\0" in value:
        to.faults.append(Fault(where, "text with a NUL character in it"))
        return None
    return value


def _is_image(of: Shape) -> bool:
    return any(isinstance(branch, RefShape) for branch in branches(of))


def _is_list(field: Field) -> bool:
    return any(isinstance(branch, Array) for branch in branches(field.shape))
