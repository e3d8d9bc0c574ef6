"""Our types as protobuf messages, so that CEL can check field names and types statically."""

import hashlib
from collections.abc import Iterable

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2, wrappers_pb2

from schemas.primitives import ROWS
from streams.language.types import ANY, IMAGE, INT, STRING, Field, Kind, Type, list_of

_PACKAGE = "m"
_Proto = descriptor_pb2.FieldDescriptorProto

_IMAGE_FIELDS = tuple(
    Field(name, kind)
    for name, kind in (("bucket", STRING), ("key", STRING), ("size", INT), ("sha256", STRING), ("media_type", STRING))
)

_SCALARS = {
    Kind(row.word): (
        _Proto.Type.Value(f"TYPE_{row.proto}"),
        f"{row.proto.capitalize()}Value",
        getattr(cel.Type, row.cel),
    )
    for row in ROWS
    if row.proto
}

_FROM_CEL = {
    **{row.cel: Type(Kind(row.word)) for row in reversed(ROWS)},  # of several rows, the first is what CEL's type means
    "UINT": INT,
    f"{_PACKAGE}.Image": IMAGE,
}


class Descriptors:
    """A descriptor pool that grows with the record types it is shown, and the way back from CEL's type names."""

    def __init__(self) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        for module in (wrappers_pb2, struct_pb2):
            self.pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        self._names: dict[Type, str] = {}
        self._types: dict[str, Type] = {}
        self._add("Image", _IMAGE_FIELDS)

    def cel_type(self, kind: Type) -> cel.Type:
        """Return CEL's type for ours: DYN for a type that CEL cannot express, whose values are checked when they are there."""
        if kind.optional and kind.kind in _SCALARS:
            return cel.Type(f"google.protobuf.{_SCALARS[kind.kind][1]}")
        if kind.kind in _SCALARS:
            return _SCALARS[kind.kind][2]
        if kind.kind is Kind.IMAGE:
            return cel.Type(f"{_PACKAGE}.Image")
        if kind.kind is Kind.RECORD:
            return cel.Type(f"{_PACKAGE}.{self._record(kind)}")
        if kind.kind is Kind.LIST and kind.item:
            return cel.Type.List(self.cel_type(kind.item))
        if kind.kind is Kind.MAP and kind.item:
            return cel.Type.Map(cel.Type.STRING, self.cel_type(kind.item))
        return cel.Type.DYN

    def known(self, name: str) -> Type | None:
        """Return the record that CEL knows under this name, without the package; None for an unknown name."""
        return Type(Kind.IMAGE, fields=_IMAGE_FIELDS) if name == "Image" else self._types.get(f"{_PACKAGE}.{name}")

    def our_type(self, name: str) -> Type:
        """Return our type for the name of one of CEL's, such as `LIST<m.Face>`."""
        if name in _FROM_CEL:
            return _FROM_CEL[name]
        if name.startswith("LIST<"):
            return list_of(self.our_type(name[5:-1]))
        if name.startswith("MAP<"):
            return Type(Kind.MAP, item=self.our_type(name[4:-1].partition(", ")[2]))
        return self._types.get(name, ANY)

    def _record(self, kind: Type) -> str:
        plain = Type(Kind.RECORD, fields=kind.fields)
        if plain not in self._names:
            digest = hashlib.sha256(repr(plain).encode()).hexdigest()[:8]
            name = kind.name or f"Record_{digest}"
            if f"{_PACKAGE}.{name}" in self._types:
                name = f"{name}_{digest}"
            self._names[plain] = name
            self._types[f"{_PACKAGE}.{name}"] = kind
            self._add(name, kind.fields)
        return self._names[plain]

    def _add(self, name: str, fields: Iterable[Field]) -> None:
        file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=_PACKAGE, syntax="proto3")
        file.dependency.extend(["google/protobuf/wrappers.proto", "google/protobuf/struct.proto"])
        message = file.message_type.add(name=name)
        # Nothing is written as JSON here: `a_b` and `aB` may stand side by side.
        message.options.deprecated_legacy_json_field_conflicts = True
        needs: set[str] = set()
        for number, field in enumerate(fields, 1):
            proto = message.field.add(name=field.name, json_name=field.name, number=number, label=_Proto.LABEL_OPTIONAL)
            self._fill(proto, field.type, message, needs, name)
        file.dependency.extend(sorted(needs))
        self.pool.AddSerializedFile(file.SerializeToString())

    def _fill(
        self, proto: _Proto, kind: Type, message: descriptor_pb2.DescriptorProto, needs: set[str], owner: str
    ) -> None:
        if kind.kind is Kind.LIST and kind.item and kind.item.kind not in (Kind.LIST, Kind.MAP):
            proto.label = _Proto.LABEL_REPEATED
            self._single(proto, kind.item, needs)
        elif kind.kind is Kind.MAP and kind.item and kind.item.kind not in (Kind.LIST, Kind.MAP):
            entry = message.nested_type.add(name=f"{_entry(proto.name)}Entry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, label=_Proto.LABEL_OPTIONAL, type=_Proto.TYPE_STRING)
            value = entry.field.add(name="value", number=2, label=_Proto.LABEL_OPTIONAL)
            self._single(value, kind.item, needs)
            proto.label, proto.type = _Proto.LABEL_REPEATED, _Proto.TYPE_MESSAGE
            proto.type_name = f".{_PACKAGE}.{owner}.{entry.name}"
        else:
            self._single(proto, kind, needs)

    def _single(self, proto: _Proto, kind: Type, needs: set[str]) -> None:
        if kind.kind in _SCALARS and not kind.optional:
            proto.type = _SCALARS[kind.kind][0]
            return
        proto.type = _Proto.TYPE_MESSAGE
        if kind.kind in _SCALARS:
            proto.type_name = f".google.protobuf.{_SCALARS[kind.kind][1]}"
        elif kind.kind is Kind.IMAGE:
            proto.type_name = f".{_PACKAGE}.Image"
            needs.add("Image.proto")
        elif kind.kind is Kind.RECORD:
            inner = self._record(kind)
            proto.type_name = f".{_PACKAGE}.{inner}"
            needs.add(f"{inner}.proto")
        else:
            proto.type_name = ".google.protobuf.Value"


def _entry(name: str) -> str:
    """Return the name that protobuf gives the entry of a map field: `dominant_colours` → `DominantColours`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
