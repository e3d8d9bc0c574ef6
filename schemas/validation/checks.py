"""The check of a schema, compiled once from one for each kind of type: value in, the conforming value out, problems noted."""

import copy
from collections.abc import Mapping
from typing import Any

from schemas.errors import BadSchema
from schemas.inspection import Check, Look, Where, show, text
from schemas.nearest import nearest
from schemas.primitives import BYTES, LONG, STRING, Primitive
from schemas.refs import FIELDS, Ref
from schemas.shapes import (
    AnyShape,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Record,
    RefShape,
    Shape,
    Union,
    branches,
)
from schemas.validation.scalars import any_value, choice, enum, fixed, wrong_type
from schemas.validation.words import describe


def compile_check(of: Shape) -> Check:
    """Return the check of a shape. Raises BadSchema when a default is not of its own type."""
    match of:
        case Primitive():
            return of.check
        case RefShape():
            return _ref
        case AnyShape():
            return any_value
        case Array():
            return _array(of)
        case Map():
            return _map(of)
        case Enum():
            return enum(of)
        case Fixed():
            return fixed(of)
        case Union():
            return _union(of)
        case Record():
            return _record(of)


def _ref(value: Any, where: Where, look: Look) -> Any:
    if isinstance(value, Ref):
        return value.to_dict()
    if not isinstance(value, Mapping):
        if look.image is None:
            return look.note(where, f"expected {describe(RefShape())}, got {show(value)}")
        try:
            return dict(look.image(text(where), value))
        except ValueError as error:
            return look.note(where, str(error))
    if "ref" in value and value.keys() <= {"ref", "href"}:
        return _REF_RECORD(value["ref"], (where, "ref"), look)
    return _REF_RECORD(value, where, look)


def _array(of: Array) -> Check:
    item, wrong = compile_check(of.items), wrong_type(of)

    def array(value: Any, where: Where, look: Look) -> Any:
        if not isinstance(value, (list, tuple)):
            return wrong(value, where, look)
        return [item(element, (where, index), look) for index, element in enumerate(value)]

    return array


def _map(of: Map) -> Check:
    item, wrong = compile_check(of.values), wrong_type(of)

    def mapping(value: Any, where: Where, look: Look) -> Any:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            return wrong(value, where, look)
        return {
            STRING.check(key, (where, key), look): item(member, (where, key), look) for key, member in value.items()
        }

    return mapping


def _union(of: Union) -> Check:
    checks = [compile_check(branch) for branch in branches(of)]
    if len(checks) == 1:
        only = checks[0]

        def optional(value: Any, where: Where, look: Look) -> Any:
            return None if value is None and of.optional else only(value, where, look)

        return optional
    records = [
        check for check, branch in zip(checks, branches(of), strict=True) if isinstance(branch, (Record, RefShape))
    ]
    wrong = wrong_type(of)

    def union(value: Any, where: Where, look: Look) -> Any:
        if value is None and of.optional:
            return None
        for check in checks:
            trial = Look(look.image)
            conforming = trial.take(check, value, where)
            if not trial.problems:
                return conforming
        # An object that is nearly the only record there is deserves that record's own problems.
        if len(records) == 1 and isinstance(value, Mapping):
            return records[0](value, where, look)
        return wrong(value, where, look)

    return union


def _bounded(field: Field) -> Check:
    """Return the check of a field's type and then of its bounds, which apply to each item of a list."""
    check = compile_check(field.shape)
    low, high, choices = field.minimum, field.maximum, field.enum
    if low is None and high is None and choices is None:
        return check

    def inside(value: Any, where: Where, look: Look) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                inside(item, (where, index), look)
        elif choices is not None and value is not None and value not in choices:
            choice(value, choices, where, look)
        elif isinstance(value, (int, float)):
            if low is not None and value < low:
                look.note(where, f"must be at least {low}, got {value}")
            elif high is not None and value > high:
                look.note(where, f"must be at most {high}, got {value}")

    def bounded(value: Any, where: Where, look: Look) -> Any:
        before = len(look.problems)
        conforming = check(value, where, look)
        if len(look.problems) == before:
            inside(conforming, where, look)
        return conforming

    return bounded


def _record(of: Record) -> Check:
    fields = {field.name: (_bounded(field), field.required, _default(field)) for field in of.fields}
    described = {field.name: describe(field.shape) for field in of.fields}
    wrong = wrong_type(of)

    def record(value: Any, where: Where, look: Look) -> Any:
        if not isinstance(value, Mapping):
            return wrong(value, where, look)
        conforming, known = {}, 0
        for name, (check, required, default) in fields.items():
            if name in value:
                known += 1
                conforming[name] = check(value[name], (where, name), look)
            elif required:
                look.note((where, name), "is missing", f"give {described[name]}")
            else:
                conforming[name] = copy.deepcopy(default) if isinstance(default, (list, dict)) else default
        if known < len(value):
            for name in value:
                if name not in fields:
                    _unknown(name, where, look)
        return conforming

    def _unknown(name: Any, where: Where, look: Look) -> None:
        if name in of.unwanted:
            return look.note((where, name), f"is not taken: {of.unwanted[name]}", "leave it out")
        near = nearest(str(name), fields)
        hint = (
            f"did you mean {near!r}?"
            if near
            else f"the fields are {', '.join(fields)}"
            if fields
            else "it has no fields"
        )
        return look.note((where, str(name)), "is not a field", hint)

    return record


def _default(field: Field) -> Any:
    """Return a field's default as the value it stands for: Avro writes bytes as text, and a record's own defaults may be left out."""
    if field.required:
        return None
    of = field.shape.branches[0] if isinstance(field.shape, Union) else field.shape
    if isinstance(field.default, str) and (isinstance(of, Fixed) or of == BYTES):
        return field.default.encode("latin-1")
    look = Look()
    conforming = look.take(compile_check(of), field.default, (None, field.name))
    if look.problems:
        raise BadSchema(f"a default is not of its own type: {look.problems[0]}")
    return conforming


_REF_RECORD = _record(
    Record(
        "millrace.Ref",
        fields=tuple(
            Field(name, LONG if name == "size" else STRING, minimum=0 if name == "size" else None) for name in FIELDS
        ),
    )
)
