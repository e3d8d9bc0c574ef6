"""Finds what a new schema accepts less of than an old one, beyond Avro's own rules: bounds of fields, and forms in JSON."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from schemas.library import inline
from schemas.primitives import Primitive
from schemas.shapes import Array, Field, Map, Record, Shape, branches, shape


def tightened(new: Any, old: Any) -> list[str]:
    """Return every field that accepts less with the `new` schema than with the `old` one, with its place: `areas[].width: …`.

    Only what both schemas have is compared. Whether Avro can read older records is checked by `schemas.validation.compat`:
    a text that became a number is found there, one that became bytes (which Avro allows, and JSON's callers notice) here.
    """
    return list(_shapes(shape(inline(new)), shape(inline(old)), "", frozenset()))


def _shapes(new: Shape, old: Shape, where: str, around: frozenset[str]) -> Iterator[str]:
    for now, was in product(branches(new), branches(old)):
        match now, was:
            case Array(), Array():
                yield from _shapes(now.items, was.items, f"{where}[]", around)
            case Map(), Map():
                yield from _shapes(now.values, was.values, f"{where}{{}}", around)
            case Record(), Record() if now.name == was.name and now.name not in around:
                yield from _records(now, was, where, around | {now.name})
            case Primitive(), Primitive() if was.name in now.refuses and was not in branches(new):
                yield f"{where}: {was.words} became {now.words}"


def _records(new: Record, old: Record, where: str, around: frozenset[str]) -> Iterator[str]:
    for now in new.fields:
        was = old.field(now.name)
        if was is not None:
            place = f"{where}.{now.name}" if where else now.name
            yield from (f"{place}: {reason}" for reason in _field(now, was))
            yield from _shapes(now.shape, was.shape, place, around)


def _field(now: Field, was: Field) -> Iterator[str]:
    if now.minimum is not None and (was.minimum is None or now.minimum > was.minimum):
        yield f"minimum {_bound(was.minimum)} became {now.minimum}"
    if now.maximum is not None and (was.maximum is None or now.maximum < was.maximum):
        yield f"maximum {_bound(was.maximum)} became {now.maximum}"
    if now.enum is not None and was.enum is None:
        yield f"any value became one of {', '.join(map(str, now.enum))}"
    elif now.enum is not None and was.enum is not None:
        removed = [str(choice) for choice in was.enum if choice not in now.enum]
        if removed:
            yield f"{', '.join(removed)} is no longer accepted"


def _bound(bound: float | None) -> str:
    return "none" if bound is None else str(bound)
