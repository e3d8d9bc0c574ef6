"""Whether a new schema takes less than an old one did: `minimum`, `maximum` and `enum` of fields, which Avro does not know."""

from collections.abc import Iterator
from typing import Any

from schemas.library import inline
from schemas.validation.shapes import Array, Field, Map, Record, Shape, branches, shape


def tightened(new: Any, old: Any) -> list[str]:
    """Every field that takes less with the `new` schema than with the `old` one, with its place: `areas[].width: …`.

    Only what both schemas have is compared; whether records can be read is `schemas.validation.compat`'s to say.
    """
    return list(_shapes(shape(inline(new)), shape(inline(old)), "", frozenset()))


def _shapes(new: Shape, old: Shape, where: str, around: frozenset[str]) -> Iterator[str]:
    for one in branches(new):
        for other in branches(old):
            match one, other:
                case Array(), Array():
                    yield from _shapes(one.items, other.items, f"{where}[]", around)
                case Map(), Map():
                    yield from _shapes(one.values, other.values, f"{where}{{}}", around)
                case Record(), Record() if one.name == other.name and one.name not in around:
                    yield from _records(one, other, where, around | {one.name})


def _records(new: Record, old: Record, where: str, around: frozenset[str]) -> Iterator[str]:
    for now in new.fields:
        was = old.field(now.name)
        if was is not None:
            place = f"{where}.{now.name}" if where else now.name
            yield from (f"{place}: {reason}" for reason in _field(now, was))
            yield from _shapes(now.shape, was.shape, place, around)


def _field(now: Field, was: Field) -> Iterator[str]:
    if now.minimum is not None and (was.minimum is None or now.minimum > was.minimum):
        yield f"minimum {_said(was.minimum)} became {now.minimum}"
    if now.maximum is not None and (was.maximum is None or now.maximum < was.maximum):
        yield f"maximum {_said(was.maximum)} became {now.maximum}"
    if now.enum is not None and was.enum is None:
        yield f"any value became one of {', '.join(map(str, now.enum))}"
    elif now.enum is not None and was.enum is not None:
        gone = [one for one in was.enum if one not in now.enum]
        if gone:
            yield f"{', '.join(map(str, gone))} is taken no more"


def _said(bound: float | None) -> str:
    return "none" if bound is None else str(bound)
