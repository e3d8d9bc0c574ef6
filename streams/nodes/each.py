"""`each:` runs a block for every item of a list, in parallel; its value is the list of outputs in item order."""

from schemas.inspection import show
from streams.language.topology import EachWork, variable_key
from streams.language.types import ANY, INT, Kind, conversion, list_of
from streams.messages import Context, Fault, LoopOpened, Outcome, Status
from streams.nodes.building import Builder, Built
from streams.nodes.walking import Visit, Walker

CONCURRENCY = 64
"""Items at once when the node has no `concurrency:`."""
MAX_CONCURRENCY = 1024


def build(node: Builder) -> Built | None:
    """Check the variable, the list it goes through, and the body."""
    subject = node.spec.subject
    if not isinstance(subject, dict) or len(subject) != 1:
        node.refuse(
            node.place("each"),
            "each names one variable and the list it goes through",
            'each: {face: "${detect.faces}"}',
        )
        node.template(node.place("each"), subject)
        variables = dict.fromkeys(subject, ANY) if isinstance(subject, dict) else {}
        node.block("", node.id, {**variables, "index": INT}, loop=True)
        return None
    ((variable, value),) = subject.items()
    node.new_name(node.place("each", variable), variable)
    items, kind = node.template(node.place("each", variable), value)
    if kind.kind not in (Kind.LIST, Kind.ANY):
        hint = conversion(kind, list_of(ANY))
        node.refuse(node.place("each", variable), f"each goes through a list, {kind} is given", hint)
    concurrency = node.spec.keys.get("concurrency", CONCURRENCY)
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= MAX_CONCURRENCY:
        node.refuse(node.place("concurrency"), f"concurrency is a whole number from 1 to {MAX_CONCURRENCY}")
        concurrency = CONCURRENCY
    item = kind.item or ANY if kind.kind is Kind.LIST else ANY
    output = node.block("", node.id, {variable: item, "index": INT}, loop=True)
    work = EachWork(
        items=items,
        body=node.id,
        variable=variable_key(node.id, variable),
        index=variable_key(node.id, "index"),
        concurrency=concurrency,
    )
    return Built(work, list_of(output), (items,))


def start(walk: Walker, visit: Visit, work: EachWork) -> None:
    """Finish at once with an empty list; let flow open any other and dispatch its items in a window."""
    items = walk.evaluate(work.items, walk.values(visit))
    if not isinstance(items, list):
        walk.fail(visit, f"each goes through a list, not {show(items)}", Fault.PIPELINE)
    elif not items:
        walk.finish(visit, Outcome(Status.VALUE, []))
    else:
        body, after = walk.restrict(visit.context, work.reads), walk.kept(visit)
        walk.emit(LoopOpened(walk.run, visit.vertex.id, visit.at, tuple(items), body, after))


def enter_item(walk: Walker, opened: LoopOpened, index: int) -> None:
    """Enter the body for one item of an opened loop."""
    work = walk.topology.vertices[opened.loop].work
    assert isinstance(work, EachWork)
    values = {**opened.body.values, work.variable: opened.items[index], work.index: index}
    walk.enter(work.body, (*opened.at, index), Context(values, opened.body.skipped))
