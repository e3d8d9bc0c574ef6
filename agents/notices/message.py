"""The message about a run that has ended: the same facts for a program and for a person."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from streams.timestamps import moment

MOST = 64 * 1024
"""Bytes of an output that is included; for a larger one the message only says where to read it."""
_SHOWN = 4000
"""Characters of an output in an e-mail."""


def facts(run: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a row of the table `runs` to the data of a notice."""
    began, ended = run["accepted_at"], run["ended_at"]
    facts = {
        "run": run["run"],
        "pipeline": run["pipeline"],
        "status": run["status"],
        "accepted_at": moment(began),
        "ended_at": moment(ended),
        "seconds": _seconds(began, ended),
        "output": run["output"],
        "failure": run["failure"],
        "links": {"self": f"/runs/{run['run']}", "result": f"/runs/{run['run']}/result"},
    }
    if len(json.dumps(facts["output"])) > MOST:
        facts |= {"output": None, "output_left_out": True}
    return facts


def subject(facts: Mapping[str, Any]) -> str:
    """One line for a mailbox."""
    return f"{facts['pipeline'][:80]} {facts['status']} (run {facts['run'][:60]})"


def text(facts: Mapping[str, Any]) -> str:
    """Render the data of a notice as text for people."""
    seconds = "" if facts["seconds"] is None else f" after {facts['seconds']:g} s"
    lines = [f"{facts['pipeline']} {facts['status']} at {facts['ended_at']}{seconds}.", ""]
    failure: Mapping[str, Any] = facts["failure"] or {}
    inner: Mapping[str, Any] = failure["failure"] if isinstance(failure.get("failure"), Mapping) else failure
    for name, label in (("reason", "Why"), ("path", "Where"), ("at", "Where"), ("hint", "What to do")):
        if inner.get(name):
            lines.append(f"{label}: {inner[name]}")
    if facts["output"] is not None:
        shown = json.dumps(facts["output"], indent=2, ensure_ascii=False)
        lines += ["Output:", shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]} …"]
    lines += ["", f"millrace explain {facts['run']}", f"millrace result {facts['run']}"]
    return "\n".join(lines) + "\n"


def _seconds(began: datetime | None, ended: datetime | None) -> float | None:
    return None if began is None or ended is None else round((ended - began).total_seconds(), 3)
