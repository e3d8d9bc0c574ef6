"""Convert references of the legacy format, such as `A.out.x`, to expressions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streams.errors import Blame, MillraceError

_PARTS = re.compile(r"[^.\[\]]+|\[[^\]]*\]")
_PLAIN = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+|\[(\d+|'[^'\]]*'|\"[^\"\]]*\")\])*")


class Unresolved(MillraceError, ValueError):
    """Raised when a reference cannot be resolved; `hint` lists what there is."""

    blame = Blame.AUTHOR

    def __init__(self, problem: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(problem)


@dataclass(frozen=True)
class Outputs:
    """The outputs of a node: an expression for each field, and one for all of them."""

    whole: str
    fields: Mapping[str, str] = field(default_factory=dict)
    rest: str = ""
    """For a node whose other fields are unknown: the prefix of their names (`call.body.`)."""
    only: str = ""
    """For a service with a single output: its expression, whatever its legacy name."""
    sided: bool = False
    """Whether a branch has outputs on one side only and is skipped on the other."""

    def get(self, name: str) -> str:
        """Return the expression of one field. Raises Unresolved."""
        if name in self.fields:
            return self.fields[name]
        if self.rest:
            return f"{self.rest}{name}"
        if self.only:
            return self.only
        raise Unresolved(f"the node has no output {name!r}", f"it has {', '.join(self.fields) or 'nothing'}")


@dataclass
class Scope:
    """What references can mean at one place: nodes by their legacy ids, the item of the loop around it, the node's own parts."""

    nodes: dict[str, Outputs]
    item: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    input: Mapping[str, str] = field(default_factory=dict)

    def own(self, params: Mapping[str, object], input: Mapping[str, str] | None = None) -> "Scope":
        """Return this scope for one node with these parameters and inputs."""
        return Scope(self.nodes, self.item, params, input or {})


def parts(text: str) -> list[str] | None:
    """Split `A.out.x[0]` into its parts; None for anything but a plain reference."""
    if not _PLAIN.fullmatch(text.strip()):
        return None
    return [part.strip("[]'\"") for part in _PARTS.findall(text.strip())]


def is_reference(text: str, scope: Scope) -> bool:
    """Return whether a text refers to a value of a node, rather than standing for itself."""
    path = parts(text)
    if not path:
        return False
    first, *rest = path
    if (first in ("node", "loop", "pipeline") and rest) or rest[:1] in (["out"], ["finished"]):
        return True
    return first == "_loop" or (first in scope.nodes and rest[:1] == ["out"]) or (first == "input" and bool(rest))


def resolve(path: Sequence[str], scope: Scope) -> object:
    """Return the expression (a str) that a reference means, or the constant in a list of one. Raises Unresolved."""
    first, *rest = path
    if first == "loop" and rest and (rest[0] in scope.nodes or rest[0] == "_loop"):
        return resolve(rest, scope)  # `loop.crop.out.x`: a node of the same loop
    if first == "node" and rest[:1] == ["_loop"]:
        return resolve(rest, scope)
    if first == "_loop":
        if not scope.item:
            raise Unresolved("_loop stands outside of a loop")
        return _select(scope.item, rest)
    if first == "node" and rest[:1] == ["params"] and len(rest) == 2:
        if rest[1] not in scope.params:
            raise Unresolved(f"the node has no parameter {rest[1]!r}", f"it has {', '.join(scope.params) or 'none'}")
        return [scope.params[rest[1]]]
    if first == "node" and rest[:1] == ["input"] and len(rest) > 1:
        return resolve(rest, scope)
    if first == "input" and rest:
        if rest[0] not in scope.input:
            raise Unresolved(f"the node has no input {rest[0]!r}", f"it has {', '.join(scope.input) or 'none'}")
        return _select(scope.input[rest[0]], rest[1:])
    if first in scope.nodes and rest[:1] == ["out"]:
        outputs = scope.nodes[first]
        return _select(outputs.get(rest[1]), rest[2:]) if len(rest) > 1 else outputs.whole
    if first not in scope.nodes:
        raise Unresolved(f"there is no node {first!r} before this one", f"there is {', '.join(scope.nodes) or 'none'}")
    raise Unresolved(f"{'.'.join(path)!r} is not a reference", f"write {first}.out.NAME")


def _select(expression: str, rest: Sequence[str]) -> str:
    for part in rest:
        if part.isdigit():
            expression += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z_]\w*", part):
            expression += f".{part}"
        else:
            expression += "['" + part.replace("\\", "\\\\").replace("'", "\\'") + "']"
    return expression
