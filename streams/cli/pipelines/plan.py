"""The plan of `apply` as text for a person at a terminal."""

from collections.abc import Iterator

from streams.runtime.catalogue.plan import How, Plan, Planned

_SIGN = {How.NEW: "+", How.REMOVED: "-", How.UNCHANGED: "="}
_SHOWN = 12
"""Characters of a digest."""


def plan_text(plan: Plan) -> str:
    """What would change and whom it concerns; empty when everything is in step."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    if not plan.changes:
        return
    unchanged = [pipeline.name for pipeline in plan.pipelines if pipeline.how is How.UNCHANGED]
    yield "Pipelines"
    for act in plan.acts:
        yield f"  {_SIGN.get(act.how, '~')} {act.name}: {act.how} ({act.detail})"
        yield from _concerned(act, plan)
    if unchanged:
        yield f"  = {len(unchanged)} unchanged"
    made = [topic for topic in plan.topics if topic.how in (How.NEW, How.CHANGED)]
    unused = [topic for topic in plan.topics if topic.how is How.UNUSED]
    if made or unused:
        yield "Topics"
        yield from (f"  {_SIGN.get(one.how, '~')} {one.name} ({one.detail})" for one in made)
        yield from (f"  . {one.name} {one.how}, {one.detail}" for one in unused)
    if plan.schemas:
        yield "Schemas"
        yield from (f"  + {subject}" for subject in plan.schemas)


def _concerned(one: Planned, plan: Plan) -> Iterator[str]:
    told = [f"{group.group} ({_workers(group.workers)})" for group in one.services]
    if one.how is not How.REMOVED:
        yield f"      consumers: {', '.join(['flow', *told])}"
    if not plan.runs_known:
        yield "      runs under way: not known, the history does not answer"
    elif one.runs:
        counts = ", ".join(f"{count} on {digest[:_SHOWN]}" for digest, count in one.runs.items())
        yield f"      runs under way: {counts}; they end on the version that they began on"
    elif one.how is not How.NEW:
        yield "      runs under way: none"
    unsure = [] if one.topology is None or one.how is not How.SHADOW else sorted(one.topology.services)
    if "http-call" in unsure or "notify" in unsure:
        yield "      take care: its calls to other systems are made twice, once for each version"


def _workers(count: int | None) -> str:
    return "not announced yet" if count is None else "no live worker" if not count else f"{count} live"
