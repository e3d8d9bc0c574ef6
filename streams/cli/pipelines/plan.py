"""The plan of `apply` as text."""

from collections.abc import Iterator

from streams.runtime.catalogue.plan import How, Plan, Planned

_SIGN = {How.NEW: "+", How.REMOVED: "-", How.UNCHANGED: "="}
_SHOWN = 12
"""Number of characters of a digest that are shown."""


def plan_text(plan: Plan) -> str:
    """Write what would change and which groups it concerns; empty if everything is up to date."""
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
    created = [topic for topic in plan.topics if topic.how in (How.NEW, How.CHANGED)]
    unused = [topic for topic in plan.topics if topic.how is How.UNUSED]
    if created or unused:
        yield "Topics"
        yield from (f"  {_SIGN.get(new_topic.how, '~')} {new_topic.name} ({new_topic.detail})" for new_topic in created)
        yield from (f"  . {new_topic.name} {new_topic.how}, {new_topic.detail}" for new_topic in unused)
    if plan.schemas:
        yield "Schemas"
        yield from (f"  + {subject}" for subject in plan.schemas)


def _concerned(planned: Planned, plan: Plan) -> Iterator[str]:
    groups = [f"{group.group} ({_workers(group.workers)})" for group in planned.services]
    if planned.how is not How.REMOVED:
        yield f"      consumers: {', '.join(['flow', *groups])}"
    if not plan.runs_known:
        yield "      runs in progress: not known, the history does not answer"
    elif planned.runs:
        counts = ", ".join(f"{count} on {digest[:_SHOWN]}" for digest, count in planned.runs.items())
        yield f"      runs in progress: {counts}; they end on the version that they began on"
    elif planned.how is not How.NEW:
        yield "      runs in progress: none"
    unsure = [] if planned.topology is None or planned.how is not How.SHADOW else sorted(planned.topology.services)
    if "http-call" in unsure or "notify" in unsure:
        yield "      take care: its calls to other systems are made twice, once for each version"


def _workers(count: int | None) -> str:
    return "not announced yet" if count is None else "no live worker" if not count else f"{count} live"
