"""The life of a run and of a node execution, as two tables."""

from pathlib import Path

import pytest

from streams.lifecycle import (
    ENDINGS,
    NODE,
    NODE_ENDS,
    NODE_EVENTS,
    RUN,
    RUN_ENDS,
    Ending,
    EventKind,
    NodeStatus,
    RunStatus,
    node_status,
    run_status,
)
from streams.render.states import state_diagram

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "architecture.md"


def test_the_tables_name_every_status_and_every_event() -> None:
    """No status lacks its row, no event lacks its meaning, and every status can be reached."""
    assert RUN.keys() == {None, *RunStatus}
    assert NODE.keys() == {None, *NodeStatus}
    assert {status for moves in RUN.values() for status in moves.values()} == set(RunStatus)
    assert {status for moves in NODE.values() for status in moves.values()} == set(NodeStatus)
    assert NODE_EVENTS | {kind for moves in RUN.values() for kind in moves} == set(EventKind)


@pytest.mark.parametrize("status", [status for status in RunStatus if not status.final])
def test_a_run_that_has_not_ended_can_end_in_every_way(status: RunStatus) -> None:
    """An end may come at any time: flow alone decides it."""
    assert {kind: run_status(status, kind) for kind in RUN_ENDS} == RUN_ENDS


@pytest.mark.parametrize("status", [None, *(status for status in NodeStatus if not status.final)])
def test_a_node_execution_that_has_not_ended_can_end_in_every_way(status: NodeStatus | None) -> None:
    """A value node ends with its first event; a task may be dropped while it waits for its next attempt."""
    assert {kind: node_status(status, kind) for kind in NODE_ENDS} == NODE_ENDS


def test_nothing_changes_a_final_status() -> None:
    """Late and repeated events leave it as it is."""
    assert [status for status in RunStatus if status.final] == ["finished", "failed", "cancelled"]
    assert [status for status in NodeStatus if status.final] == ["finished", "skipped", "failed"]
    assert all(run_status(status, kind) is status for status in RunStatus if status.final for kind in EventKind)
    assert all(node_status(status, kind) is status for status in NodeStatus if status.final for kind in EventKind)


def test_a_run_that_waits_runs_again_when_a_worker_comes() -> None:
    """Waiting is the only status that a run leaves and may enter again."""
    assert run_status(RunStatus.WAITING, EventKind.STARTED) is RunStatus.RUNNING
    assert run_status(RunStatus.RUNNING, EventKind.WAITING) is RunStatus.WAITING
    assert run_status(RunStatus.RUNNING, EventKind.PROGRESS) is RunStatus.RUNNING


def test_every_ending_ends_a_run() -> None:
    """Whatever flow is asked to end a run for has an event that does it."""
    assert ENDINGS.keys() == set(Ending)
    assert all(kind.terminal for kind in ENDINGS.values())


def test_the_documentation_shows_the_tables() -> None:
    """Both diagrams of the page are exactly what is drawn from the tables."""
    page = PAGE.read_text(encoding="utf-8")
    for diagram in (state_diagram(RUN), state_diagram(NODE)):
        assert f"```mermaid\n{diagram}```" in page
