"""What a run waits for, in sentences for a person."""

from collections.abc import Mapping
from typing import Any

from streams.flow.explain import Why


def text(why: Why, one: Mapping[str, Any]) -> str:
    """The sentence about one place, with what is known of it."""
    return _TEXTS[why](one)


def _where(one: Mapping[str, Any]) -> str:
    return str(one["path"] or "the run's end")


def _join(one: Mapping[str, Any]) -> str:
    text = f"{_where(one)} waits for {', '.join(one['missing'])}"
    if one["arrived"]:
        text += f"; {', '.join(one['arrived'])} came"
    return text + (f"; it gives up at {one['gives_up_at']}" if one.get("gives_up_at") else "")


def _loop(one: Mapping[str, Any]) -> str:
    if "items" not in one:
        return f"{_where(one)} waits for its items; {one['begun']} have begun"
    text = f"{_where(one)} waits for {one['items'] - one['ended']} of its {one['items']} items"
    return f"{text}: {one['under_way']} under way, {one['not_begun']} not begun"


def _workers(one: Mapping[str, Any]) -> str:
    count = one["workers"]
    return f"{count} live worker{'' if count == 1 else 's'}" if count else "no live worker"


def _for(one: Mapping[str, Any]) -> str:
    return f", waiting for {' and '.join(one['waiting_for'])}" if one.get("waiting_for") else ""


def _flow_runs(one: Mapping[str, Any]) -> str:
    """Whether anybody runs flow, where that is known and of interest."""
    return "; no worker runs `flow`" if one.get("workers") == 0 else "; does the agent `flow` run?"


def _queued(one: Mapping[str, Any]) -> str:
    name = f"{one['service']} v{one['major']}"
    if not one["workers"] and one.get("problem"):
        text = f"{_where(one)} waits for {name}, which no worker can serve: {one['problem']}"
    elif not one["workers"]:
        text = f"{_where(one)} waits for {name}, which has no live worker"
    else:
        text = f"{_where(one)} waits in the queue of {name} ({_workers(one)}{_for(one)})"
    if "ahead" in one:
        return f"{text}, {one['ahead']} ahead of it in partition {one['partition']}"
    if "at_least" in one:
        return f"{text}, at least {one['at_least']} ahead of it in partition {one['partition']}"
    return f"{text}; a worker has it in hand, or it is about to be sent" if one.get("lag") == 0 else text


def _running(one: Mapping[str, Any]) -> str:
    text = f"{_where(one)} runs on {one['service']} since {one['since']}, attempt {one['attempt']} ({_workers(one)}{_for(one)})"
    return text if one["workers"] else f"{text}: another worker will begin it anew"


def _retry(one: Mapping[str, Any]) -> str:
    text = f"{_where(one)} is tried again at {one.get('due_at', 'some time')}"
    text += f" (attempt {one['attempt']} of {one['attempts']}), because {one['reason']}"
    return f"{text}; it is overdue: does the agent `retry` run?" if one.get("overdue") else text


def _of_flow(one: Mapping[str, Any]) -> str:
    text = f"{_where(one)} has all that it needs, and flow has to take it"
    return f"{text}; {one['lag']} messages are before it{_flow_runs(one)}" if one.get("lag") else text


def _begin(one: Mapping[str, Any]) -> str:
    before = f"; {one['lag']} messages stand before flow" if one.get("lag") else ""
    return f"the run has not begun: flow has to take its request{before}{_flow_runs(one)}"


_TEXTS = {
    Why.BEGIN: _begin,
    Why.JOIN: _join,
    Why.LOOP: _loop,
    Why.QUEUED: _queued,
    Why.RUNNING: _running,
    Why.RETRY: _retry,
    Why.FLOW: _of_flow,
}
