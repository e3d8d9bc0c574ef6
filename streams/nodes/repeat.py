"""`repeat:` runs a block repeatedly with carried state, until a condition holds or a bound is reached."""

from streams.language.definition.references import body_places
from streams.language.expressions.expression import Expression
from streams.language.template import Template
from streams.language.topology import RepeatWork, variable_key
from streams.language.types import BOOL, Type
from streams.messages import Context, Outcome, Status
from streams.nodes.building import Builder, Built, Closing, Templates
from streams.nodes.walking import Visit, Walker

MAX_ROUNDS = 10_000


def build(node: Builder) -> Built | None:
    """Check the state with its first values, what the next round gets, and the condition that ends it."""
    subject = node.spec.subject
    if not isinstance(subject, dict):
        node.refuse(
            node.place("repeat"), "repeat is a mapping from the names of the carried state to their first values"
        )
        node.template(node.place("repeat"), subject)
        node.block("", node.id, {}, loop=True)
        return None
    first: dict[str, Template] = {}
    kinds: dict[str, Type] = {}
    for name, value in subject.items():
        node.new_name(node.place("repeat", name), name)
        first[name], kinds[name] = node.template(node.place("repeat", name), value)
    following: dict[str, Template] = {}
    until: list[Expression] = []

    def closing(end: Templates) -> tuple[Template, ...]:
        following.update(_next(node, end, kinds))
        if "until" in node.spec.keys:
            until.append(end.expression(node.place("until"), node.spec.keys["until"], BOOL))
            end.require(node.place("until"), until[0], "until")
        return (*following.values(), *until)

    output = node.block("", node.id, kinds, loop=True, closing=Closing(tuple(body_places(node.spec)), closing))
    work = RepeatWork(
        body=node.id,
        state={name: (variable_key(node.id, name), value) for name, value in first.items()},
        next=following,
        until=until[0] if until else None,
        max=_bound(node),
    )
    return Built(work, output, tuple(first.values()))


def _next(node: Builder, end: Templates, kinds: dict[str, Type]) -> dict[str, Template]:
    data = node.spec.keys.get("next", {})
    if not isinstance(data, dict):
        node.refuse(node.place("next"), "next is a mapping from the names of the carried state to their next values")
        return {}
    following = {}
    for name, value in data.items():
        if name not in kinds:
            node.refuse(
                node.place("next", name),
                f"{name!r} is not carried state",
                f"repeat carries {', '.join(kinds) or 'nothing'}",
            )
            end.template(node.place("next", name), value)
            continue
        following[name], _ = end.template(node.place("next", name), value, kinds[name], exact=True)
        end.require(node.place("next", name), following[name], "next")
    return following


def _bound(node: Builder) -> int:
    bound = node.spec.keys.get("max", 1)  # the grammar has reported a missing one
    if not isinstance(bound, int) or isinstance(bound, bool) or not 1 <= bound <= MAX_ROUNDS:
        node.refuse(node.place("max"), f"max is a whole number from 1 to {MAX_ROUNDS}", "a loop needs a bound")
        return 1
    return bound


def start(walk: Walker, visit: Visit, work: RepeatWork) -> None:
    """Enter the first round."""
    values = walk.values(visit)
    state = {key: walk.evaluate(first, values) for key, first in work.state.values()}
    walk.enter(work.body, (*visit.at, 0), Context({**visit.context.values, **state}, visit.context.skipped))


def end_round(walk: Walker, visit: Visit, work: RepeatWork, output: Template) -> Outcome | None:
    """End a round: return the loop's outcome when it is over; otherwise enter the next round and return None."""
    values = walk.values(visit)
    *around, index = visit.at
    enough = work.until is not None and walk.holds(work.until, values)
    if enough or index + 1 >= work.max:
        return Outcome(Status.VALUE, walk.evaluate(output, values))
    state = {key: visit.context.values[key] for key, _ in work.state.values() if key in visit.context.values}
    state |= {work.state[name][0]: walk.evaluate(following, values) for name, following in work.next.items()}
    walk.enter(work.body, (*around, index + 1), Context({**visit.context.values, **state}, visit.context.skipped))
    return None
