"""Output of `status`: a table for people, lines of JSON for programs."""

import json
from dataclasses import asdict
from pathlib import Path

from infra.local.home import clients
from infra.local.home.state import StackState

_ROW = "{:<14} {:<11} {:>8} {:>6} {:>9}  {}"


def as_table(stack: StackState, home: Path) -> str:
    """Return one line per part, then the address of each and the command that opens it."""
    lines = [_ROW.format("part", "state", "pid", "port", "restarts", "last ended").rstrip()]
    for name, part in stack.parts.items():
        reason = (part.reason or "").partition("\n")[0]
        lines.append(_ROW.format(name, part.state, part.pid or "-", part.port or "-", part.restarts, reason).rstrip())
    for name, address, command in clients.commands(home, stack.settings, stack.parts):
        lines += ["", f"{name} at {address}", f"  {command}"]
    return "\n".join(lines) + "\n"


def as_json(stack: StackState) -> str:
    """Return one object per line: `{part, state, pid, port, restarts, reason}`."""
    return "".join(json.dumps({"part": name, **asdict(part)}) + "\n" for name, part in stack.parts.items())
