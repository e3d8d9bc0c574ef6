"""What an expression reads, from CEL's own syntax tree, with the scopes of its comprehensions respected."""

from dataclasses import dataclass, field
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

_Proto = descriptor_pb2.FieldDescriptorProto

# The part of cel/expr/syntax.proto that is read here; the wheel carries no Python classes for it.
_MESSAGES: dict[str, list[tuple[str, int, str, bool]]] = {
    "Const": [
        ("int64_value", 3, "int64", False),
        ("string_value", 6, "string", False),
        ("bytes_value", 7, "bytes", False),
    ],
    "Ident": [("name", 1, "string", False)],
    "Select": [("operand", 1, "Expr", False), ("field", 2, "string", False)],
    "Call": [("target", 1, "Expr", False), ("function", 2, "string", False), ("args", 3, "Expr", True)],
    "CreateList": [("elements", 1, "Expr", True)],
    "Entry": [("map_key", 3, "Expr", False), ("value", 4, "Expr", False)],
    "CreateStruct": [("message_name", 1, "string", False), ("entries", 2, "Entry", True)],
    "Comprehension": [
        ("iter_var", 1, "string", False),
        ("iter_range", 2, "Expr", False),
        ("accu_var", 3, "string", False),
        ("accu_init", 4, "Expr", False),
        ("loop_condition", 5, "Expr", False),
        ("loop_step", 6, "Expr", False),
        ("result", 7, "Expr", False),
        ("iter_var2", 8, "string", False),
    ],
    "Expr": [
        ("const_expr", 3, "Const", False),
        ("ident_expr", 4, "Ident", False),
        ("select_expr", 5, "Select", False),
        ("call_expr", 6, "Call", False),
        ("list_expr", 7, "CreateList", False),
        ("struct_expr", 8, "CreateStruct", False),
        ("comprehension_expr", 9, "Comprehension", False),
    ],
    "ParsedExpr": [("expr", 2, "Expr", False)],
}

_PLAIN = {"string": _Proto.TYPE_STRING, "bytes": _Proto.TYPE_BYTES, "int64": _Proto.TYPE_INT64}


def _parsed_expr() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="syntax.proto", package="ast", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind, repeated in fields:
            proto = message.field.add(name=field_name, number=number)
            proto.label = _Proto.LABEL_REPEATED if repeated else _Proto.LABEL_OPTIONAL
            proto.type = _PLAIN.get(kind, _Proto.TYPE_MESSAGE)
            if kind not in _PLAIN:
                proto.type_name = f".ast.{kind}"
            elif name == "Const":
                proto.proto3_optional, proto.oneof_index = True, len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field_name}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ast.ParsedExpr"))


_ParsedExpr = _parsed_expr()


NAMESPACED = frozenset({("strings", "quote")})
"""Functions whose name has a dot in it: the part before it reads nothing, and may be a name of the author's too."""


@dataclass
class Reading:
    """Free names of an expression, and how deep its comprehensions nest. A choice keeps the names of each of its sides."""

    names: set[str] = field(default_factory=set)
    depth: int = 0
    choices: "list[Choice]" = field(default_factory=list)
    types: set[str] = field(default_factory=set)
    """Message types that the expression constructs."""


@dataclass
class Choice:
    """`marker ? left : right`, where the marker stands for one operand of `first()`."""

    marker: str
    left: Reading
    right: Reading


def tree(serialized: bytes) -> Any:
    """Return the root of a parsed, unchecked expression: a message with the fields of `Expr` above."""
    parsed = _ParsedExpr()
    parsed.ParseFromString(any_pb2.Any.FromString(serialized).value)
    return parsed.expr


def read(serialized: bytes, markers: frozenset[str] = frozenset()) -> Reading:
    """Return what a parsed, unchecked expression reads. `markers` are the names that make a ternary a choice of `first()`."""
    reading = Reading()
    _walk(tree(serialized), frozenset(), reading, 0, markers)
    return reading


def _walk(expr: Any, bound: frozenset[str], out: Reading, depth: int, markers: frozenset[str]) -> None:
    if expr.HasField("ident_expr"):
        if expr.ident_expr.name not in bound:
            out.names.add(expr.ident_expr.name)
    elif expr.HasField("select_expr"):
        _walk(expr.select_expr.operand, bound, out, depth, markers)
    elif expr.HasField("call_expr"):
        _call(expr.call_expr, bound, out, depth, markers)
    elif expr.HasField("list_expr"):
        for element in expr.list_expr.elements:
            _walk(element, bound, out, depth, markers)
    elif expr.HasField("struct_expr"):
        if expr.struct_expr.message_name:
            out.types.add(expr.struct_expr.message_name)
        for entry in expr.struct_expr.entries:
            if entry.HasField("map_key"):
                _walk(entry.map_key, bound, out, depth, markers)
            _walk(entry.value, bound, out, depth, markers)
    elif expr.HasField("comprehension_expr"):
        _comprehension(expr.comprehension_expr, bound, out, depth, markers)


def _call(call: Any, bound: frozenset[str], out: Reading, depth: int, markers: frozenset[str]) -> None:
    marker = call.args[0].ident_expr.name if call.function == "_?_:_" and call.args else ""
    if marker in markers:
        left, right = Reading(), Reading()
        _walk(call.args[1], bound, left, depth, markers)
        _walk(call.args[2], bound, right, depth, markers)
        out.choices.append(Choice(marker, left, right))
        out.depth = max(out.depth, left.depth, right.depth)
        out.types |= left.types | right.types
        return
    if call.HasField("target") and (call.target.ident_expr.name, call.function) not in NAMESPACED:
        _walk(call.target, bound, out, depth, markers)
    for argument in call.args:
        _walk(argument, bound, out, depth, markers)


def _comprehension(loop: Any, bound: frozenset[str], out: Reading, depth: int, markers: frozenset[str]) -> None:
    out.depth = max(out.depth, depth + 1)
    _walk(loop.iter_range, bound, out, depth, markers)
    _walk(loop.accu_init, bound, out, depth, markers)
    inside = bound | {loop.accu_var}
    items = inside | {loop.iter_var} | ({loop.iter_var2} if loop.iter_var2 else set())
    _walk(loop.loop_condition, items, out, depth + 1, markers)
    _walk(loop.loop_step, items, out, depth + 1, markers)
    _walk(loop.result, inside, out, depth, markers)
