"""How a running stack is shown: as a table for people, as lines of JSON for programs."""

import json
from dataclasses import asdict

from infra.local.state import StackState

_ROW = "{:<14} {:<11} {:>8} {:>6} {:>9}  {}"


def as_table(found: StackState) -> str:
    """One line a part, and where the gateway is."""
    lines = [_ROW.format("part", "state", "pid", "port", "restarts", "last ended").rstrip()]
    for name, part in found.parts.items():
        reason = (part.reason or "").partition("\n")[0]
        lines.append(_ROW.format(name, part.state, part.pid or "-", part.port or "-", part.restarts, reason).rstrip())
    if "gateway" in found.parts:
        lines.append(f"gateway at {found.url}")
    return "\n".join(lines) + "\n"


def as_json(found: StackState) -> str:
    """One object a line: `{part, state, pid, port, restarts, reason}`."""
    return "".join(json.dumps({"part": name, **asdict(part)}) + "\n" for name, part in found.parts.items())
