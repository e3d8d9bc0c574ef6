"""Sentences for people about what a run waits for."""

from collections.abc import Mapping
from typing import Any

from streams.flow.explain import Why


def text(why: Why, facts: Mapping[str, Any]) -> str:
    """Return the sentence about one place that waits, from the facts about it."""
    return _TEXTS[why](facts)


def _where(facts: Mapping[str, Any]) -> str:
    return str(facts["path"] or "the run's end")


def _join(facts: Mapping[str, Any]) -> str:
    text = f"{_where(facts)} waits for {', '.join(facts['missing'])}"
    if facts["arrived"]:
        text += f"; {', '.join(facts['arrived'])} came"
    return text + (f"; it gives up at {facts['gives_up_at']}" if facts.get("gives_up_at") else "")


def _loop(facts: Mapping[str, Any]) -> str:
    if "items" not in facts:
        return f"{_where(facts)} waits for its items; {facts['begun']} have started"
    text = f"{_where(facts)} waits for {facts['items'] - facts['ended']} of its {facts['items']} items"
    return f"{text}: {facts['under_way']} running, {facts['not_begun']} not started"


def _workers(facts: Mapping[str, Any]) -> str:
    count = facts["workers"]
    return f"{count} live worker{'' if count == 1 else 's'}" if count else "no live worker"


def _for(facts: Mapping[str, Any]) -> str:
    return f", waiting for {' and '.join(facts['waiting_for'])}" if facts.get("waiting_for") else ""


def _flow_runs(facts: Mapping[str, Any]) -> str:
    """Say that no worker runs flow, or ask it where that is not known."""
    return "; no worker runs `flow`" if facts.get("workers") == 0 else "; does the agent `flow` run?"


def _queued(facts: Mapping[str, Any]) -> str:
    name = f"{facts['service']} v{facts['major']}"
    if not facts["workers"] and facts.get("problem"):
        text = f"{_where(facts)} waits for {name}, which no worker can serve: {facts['problem']}"
    elif not facts["workers"]:
        text = f"{_where(facts)} waits for {name}, which has no live worker"
    else:
        text = f"{_where(facts)} waits in the queue of {name} ({_workers(facts)}{_for(facts)})"
    if "ahead" in facts:
        return f"{text}, {facts['ahead']} ahead of it in partition {facts['partition']}"
    if "at_least" in facts:
        return f"{text}, at least {facts['at_least']} ahead of it in partition {facts['partition']}"
    return f"{text}; a worker is running it, or it is about to be sent" if facts.get("lag") == 0 else text


def _running(facts: Mapping[str, Any]) -> str:
    text = f"{_where(facts)} runs on {facts['service']} since {facts['since']}, attempt {facts['attempt']} ({_workers(facts)}{_for(facts)})"
    return text if facts["workers"] else f"{text}: another worker will start it again"


def _retry(facts: Mapping[str, Any]) -> str:
    text = f"{_where(facts)} is tried again at {facts.get('due_at', 'some time')}"
    text += f" (attempt {facts['attempt']} of {facts['attempts']}), because {facts['reason']}"
    return f"{text}; it is overdue: does the agent `retry` run?" if facts.get("overdue") else text


def _of_flow(facts: Mapping[str, Any]) -> str:
    text = f"{_where(facts)} has all that it needs, and flow has to take it"
    return f"{text}; {facts['lag']} messages are before it{_flow_runs(facts)}" if facts.get("lag") else text


def _begin(facts: Mapping[str, Any]) -> str:
    before = f"; {facts['lag']} messages are before it in flow's queue" if facts.get("lag") else ""
    return f"the run has not begun: flow has to take its request{before}{_flow_runs(facts)}"


_TEXTS = {
    Why.BEGIN: _begin,
    Why.JOIN: _join,
    Why.LOOP: _loop,
    Why.QUEUED: _queued,
    Why.RUNNING: _running,
    Why.RETRY: _retry,
    Why.FLOW: _of_flow,
}
