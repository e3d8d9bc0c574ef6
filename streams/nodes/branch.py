"""`if:` runs one of two blocks; its value is the output of the side taken."""

from streams.language.expressions.condition_values import seen
from streams.language.topology import BranchWork
from streams.language.types import ANY, BOOL, common, conversion
from streams.nodes.building import Builder, Built
from streams.nodes.walking import Visit, Walker


def build(node: Builder) -> Built:
    """Check the condition and both sides, which must have one type. Without an `else` the node may be skipped."""
    condition = node.expression(node.place("if"), node.spec.subject, BOOL)
    then = f"{node.id}.then"
    kind = node.block("then", then, {}) if "then" in node.spec.blocks else ANY
    if "else" not in node.spec.blocks:
        return Built(BranchWork(condition, then), kind, (condition,), skippable=True)
    otherwise = f"{node.id}.else"
    other = node.block("else", otherwise, {})
    both = common(kind, other)
    if both is None:
        hint = conversion(kind, other) or "both sides must give one type"
        node.refuse(node.place("else", "output"), f"then gives {kind}, else gives {other}", hint)
    return Built(BranchWork(condition, then, otherwise), both or ANY, (condition,))


def start(walk: Walker, visit: Visit, work: BranchWork) -> None:
    """Enter a side, or skip the node."""
    side = work.then if walk.holds(work.condition, walk.values(visit)) else work.otherwise
    if side is None:
        because = {"if": work.condition.text, "values": seen(work.condition, walk.values(visit))}
        walk.skip(visit, f"if: {work.condition.text} is false and there is no else", because)
    else:
        walk.enter(side, visit.at, visit.context)
