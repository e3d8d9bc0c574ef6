"""Convert conditions of the legacy format (a small part of Python) to CEL. They are parsed and rewritten, never evaluated."""

import ast
import json
import re
from collections.abc import Sequence

from streams.legacy.references import Scope, Unresolved, resolve

_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "==",
    ast.IsNot: "!=",
}
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
MAX_LENGTH = 1000
"""Characters of a condition, at most."""


def condition(text: str, scope: Scope) -> str:
    """Convert a condition to CEL. Raises Unresolved for code that is more than comparing values of nodes."""
    if len(text) > MAX_LENGTH:
        raise Unresolved(f"the condition is longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unresolved("this is code, not a condition", "write it in CEL by hand") from None
    cel = _expression(tree.body, scope)
    bracketed = isinstance(tree.body, ast.BoolOp | ast.BinOp | ast.Compare) and cel.startswith("(")
    return cel[1:-1] if bracketed and _closing_position(cel) == len(cel) - 1 else cel


def _closing_position(text: str) -> int:
    """Return the position of the parenthesis that closes the first one. String literals inside must be balanced."""
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return at
    return -1


def assignments(text: str, scope: Scope) -> dict[str, str] | None:
    """Read lines like `node.out['x'] = A.out.y` as expressions by name; None when the code does anything else."""
    if len(text) > MAX_LENGTH:
        return None
    try:
        tree = ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    fields: dict[str, str] = {}
    for statement in tree.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            return None
        target = _path(statement.targets[0])
        if target is None or target[:1] != ["node"] or target[1:2] not in (["out"], ["input"]) or len(target) != 3:
            return None
        value = statement.value
        if _path(value) is None and not isinstance(value, ast.Constant):
            return None
        try:
            fields[target[2]] = _expression(value, scope)
        except Unresolved:
            return None
    return fields or None


def _expression(node: ast.expr, scope: Scope) -> str:
    match node:
        case ast.BoolOp():
            sign = " && " if isinstance(node.op, ast.And) else " || "
            return f"({sign.join(_expression(operand, scope) for operand in node.values)})"
        case ast.UnaryOp(op=ast.Not()):
            return f"!({_expression(node.operand, scope)})"
        case ast.UnaryOp(op=ast.USub()):
            return f"-{_expression(node.operand, scope)}"
        case ast.Compare():
            return _compare(node, scope)
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            return f"({_expression(node.left, scope)} {_ARITHMETIC[type(node.op)]} {_expression(node.right, scope)})"
        case ast.Call(func=ast.Name(id="len"), args=[value], keywords=[]):
            return f"size({_expression(value, scope)})"
        case ast.List() | ast.Tuple():
            return f"[{', '.join(_expression(item, scope) for item in node.elts)}]"
        case ast.Constant():
            return constant(node.value)
    path = _path(node)
    if path is None:
        raise Unresolved(f"{ast.unparse(node)!r} is code, which is not run", "write it in CEL by hand")
    resolved = resolve(path, scope)
    return constant(resolved[0]) if isinstance(resolved, list) else str(resolved)


def _compare(node: ast.Compare, scope: Scope) -> str:
    pairs = []
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        pairs.append(_pair(left, operator, right, scope))
        left = right
    return pairs[0] if len(pairs) == 1 else f"({' && '.join(pairs)})"


def _pair(left: ast.expr, operator: ast.cmpop, right: ast.expr, scope: Scope) -> str:
    if isinstance(operator, ast.In | ast.NotIn):
        name = left.value if isinstance(left, ast.Constant) else None
        other = _expression(right, scope)
        if isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name) and re.search(r"\.\w+$|^\w+$", other):
            test = f"has({other}.{name})"  # whether an object has a field
        else:
            test = f"({_expression(left, scope)} in {other})"
        return f"!{test}" if isinstance(operator, ast.NotIn) else test
    return f"{_expression(left, scope)} {_COMPARE[type(operator)]} {_expression(right, scope)}"


def _path(node: ast.expr) -> Sequence[str] | None:
    """Split `a.b['c'][0]` into its parts; None for anything else."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        before = _path(node.value)
        return None if before is None else [*before, node.attr]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        before = _path(node.value)
        return None if before is None else [*before, str(node.slice.value)]
    return None


def constant(value: object) -> str:
    """Write a plain value in CEL. Raises Unresolved for one that CEL has no literal for."""
    if isinstance(value, str):
        return "'" + json.dumps(value, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
    if value is None or isinstance(value, bool | int | float | list | dict):
        return json.dumps(value)
    raise Unresolved(f"{value!r} has no counterpart")
