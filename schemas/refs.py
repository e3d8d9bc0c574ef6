"""References to objects in S3: the value, and finding or replacing them inside records."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from schemas.shapes import AnyShape, Array, Map, Record, RefShape, Shape, Union, branches, shape

FIELDS = ("bucket", "key", "size", "sha256", "media_type")
_NAMES = frozenset(FIELDS)
_READABLE = re.compile(r"(?!runs/[^/]*/outcomes/)(runs|datasets|uploads)(/[A-Za-z0-9][A-Za-z0-9._=@+-]{0,199})+")
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Ref:
    """Where an object lies in S3 and what it is; never its bytes."""

    bucket: str
    key: str
    size: int
    """Bytes."""
    sha256: str
    """64 lower-case hexadecimal digits."""
    media_type: str

    def to_dict(self) -> dict[str, Any]:
        """Return the form that a record carries."""
        return {
            "bucket": self.bucket,
            "key": self.key,
            "size": self.size,
            "sha256": self.sha256,
            "media_type": self.media_type,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the ref that a record carries. Raises ValueError when `value` is not one (see `is_ref`)."""
        if not is_ref(value):
            raise ValueError(
                f"not a reference to an object: expected the fields {', '.join(FIELDS)}, got {value!r:.200}"
            )
        return cls(**value)


def readable(key: str) -> bool:
    """Return whether a reference from outside may name this key: an object of a run or a dataset, or one that others uploaded.

    What else the bucket holds belongs to the installation, and a key that leads out of a folder, or is not a valid one, is not readable.
    """
    return len(key) <= _LONGEST and _READABLE.fullmatch(key) is not None


def is_ref(value: object) -> bool:
    """Return whether a value is the mapping form of a Ref: exactly its five fields, each of its type."""
    return (
        isinstance(value, Mapping)
        and len(value) == len(FIELDS)
        and value.keys() == _NAMES
        and isinstance(value["bucket"], str)
        and isinstance(value["key"], str)
        and type(value["size"]) is int
        and isinstance(value["sha256"], str)
        and isinstance(value["media_type"], str)
    )


def walk(schema: Any, record: Any) -> Iterator[tuple[str, Ref]]:
    """Yield every ref of a record with its path (`images[0]`), in the order of the fields.

    `schema` is the record's Avro schema; None for a generic value, where every mapping that `is_ref` counts.
    """
    refs: list[tuple[str, Ref]] = []

    def note(path: str, ref: Ref) -> Any:
        refs.append((path, ref))
        return None

    _map(_ANY if schema is None else shape(schema), record, "", note)
    yield from refs


def replace(schema: Any, record: Any, fn: Callable[[Ref], Any]) -> Any:
    """Return a copy of a record in which every ref is replaced by what `fn` returns; parts without refs are shared, not copied.

    A Ref that `fn` returns is put in its mapping form. `schema` as in `walk`.
    """

    def change(_: str, ref: Ref) -> Any:
        replacement = fn(ref)
        return replacement.to_dict() if isinstance(replacement, Ref) else replacement

    return _map(_ANY if schema is None else shape(schema), record, "", change)


def _map(of: Shape, value: Any, path: str, fn: Callable[[str, Ref], Any]) -> Any:
    match of:
        case RefShape():
            return fn(path, Ref.from_dict(value))
        case AnyShape():
            return _map_any(value, path, fn)
        case Record():
            changed = dict(value)
            for field in of.fields:
                if field.name in changed and holds_refs(field.shape):
                    inner = f"{path}.{field.name}" if path else field.name
                    changed[field.name] = _map(field.shape, changed[field.name], inner, fn)
            return changed
        case Array() if holds_refs(of.items):
            return [_map(of.items, item, f"{path}[{index}]", fn) for index, item in enumerate(value)]
        case Map() if holds_refs(of.values):
            return {key: _map(of.values, item, f"{path}.{key}" if path else key, fn) for key, item in value.items()}
        case Union() if value is not None:
            branch = _branch(of, value)
            return value if branch is None else _map(branch, value, path, fn)
    return value


def _map_any(value: Any, path: str, fn: Callable[[str, Ref], Any]) -> Any:
    if isinstance(value, Mapping):
        if is_ref(value):
            return fn(path, Ref.from_dict(value))
        return {key: _map_any(item, f"{path}.{key}" if path else key, fn) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_map_any(item, f"{path}[{index}]", fn) for index, item in enumerate(value)]
    return value


def _branch(union: Union, value: Any) -> Shape | None:
    """Return the branch of a union that may hold refs and that this value has; None when there is none."""
    for branch in branches(union):
        match branch:
            case RefShape() if is_ref(value):
                return branch
            case Record() if isinstance(value, Mapping) and value.keys() <= {field.name for field in branch.fields}:
                return branch
            case Array() if isinstance(value, (list, tuple)):
                return branch
            case Map() | AnyShape() if not isinstance(value, (str, bytes, int, float)):
                return branch
    return None


def holds_refs(of: Shape) -> bool:
    """Return whether a value of this shape can hold a ref anywhere."""
    return _holds(of, frozenset())


def _holds(of: Shape, seen: frozenset[str]) -> bool:
    match of:
        case RefShape() | AnyShape():
            return True
        case Array():
            return _holds(of.items, seen)
        case Map():
            return _holds(of.values, seen)
        case Union():
            return any(_holds(branch, seen) for branch in of.branches)
        case Record() if of.name not in seen:
            return any(_holds(field.shape, seen | {of.name}) for field in of.fields)
    return False


_ANY = AnyShape()
