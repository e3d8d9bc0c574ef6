"""The transition tables of `streams.lifecycle` as Mermaid state diagrams, for the documentation."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from streams.lifecycle import EventKind

Status = TypeVar("Status", bound=StrEnum)

_BOUNDARY = "[*]"
"""Mermaid's name for the start and for the end."""


def state_diagram(transitions: Mapping[Status | None, Mapping[EventKind, Status]]) -> str:
    """Draw a transition table: one arrow for each pair of statuses, labelled with its events."""
    lines = ["stateDiagram-v2"]
    for status, moves in transitions.items():
        arrows: dict[Status, list[EventKind]] = {}
        for event, target in moves.items():
            arrows.setdefault(target, []).append(event)
        for target, events in arrows.items():
            lines.append(f"    {status or _BOUNDARY} --> {target}: {', '.join(events)}")
        if not moves:
            lines.append(f"    {status} --> {_BOUNDARY}")
    return "\n".join(lines) + "\n"
