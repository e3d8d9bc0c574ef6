"""What travels: ids that a repeated sending does not change."""

import itertools

from streams.lifecycle import NODE_ENDS, RUN_ENDS
from streams.messages import Event, EventKind, Run, message_id

RUN = Run("r", "p", "d", 0.0)


def test_ids_are_deterministic() -> None:
    """The same happening has the same id, in every process."""
    assert message_id("r", "k", "a.b", (1, 2), 3, "e") == message_id("r", "k", "a.b", (1, 2), 3, "e")
    assert message_id("r", "k", "a", ()) == "e8d346a7-a999-530c-a5fe-094a5b1b1ac8"


def test_ids_do_not_collide() -> None:
    """Whatever of a message differs, its id differs."""
    ids = [
        message_id(run, kind, place, at, attempt, edge)
        for run in ("r", "q")
        for kind in ("started", "finished")
        for place in ("a", "a.b", "b")
        for at in ((), (1,), (1, 2), (12,), (2, 1))
        for attempt in (0, 1, 12)
        for edge in ("", "a", "b")
    ]
    assert len(set(ids)) == len(ids)


def test_events_have_the_id_of_their_happening() -> None:
    """What an event says does not change its id; what happened, where, and at which attempt does."""
    one = Event(RUN, EventKind.FINISHED, "a", (1,), "a", 1, {"output": 1})
    assert one.id == Event(RUN, EventKind.FINISHED, "a", (1,), "other", 1, {"output": 2}).id
    others = [
        Event(RUN, EventKind.STARTED, "a", (1,), "a", 1),
        Event(RUN, EventKind.STARTED, "a", (1,), "a", 2),
        Event(RUN, EventKind.FINISHED, "a", (2,), "a", 1),
        Event(RUN, EventKind.FINISHED, "b", (1,), "a", 1),
    ]
    assert len({one.id, *(other.id for other in others)}) == 5


def test_a_run_has_one_end() -> None:
    """All ends of a run have one id, so that readers keep the first; only ends are terminal."""
    assert len({Event(RUN, kind).id for kind in RUN_ENDS}) == 1
    assert [kind for kind in EventKind if kind.terminal] == [
        EventKind.RUN_FINISHED,
        EventKind.RUN_FAILED,
        EventKind.RUN_CANCELLED,
    ]
    for one, other in itertools.combinations([kind for kind in EventKind if not kind.terminal and not kind.over], 2):
        assert Event(RUN, one).id != Event(RUN, other).id


def test_a_node_execution_has_one_end() -> None:
    """All its ends have one id, at whichever attempt: of a task that was done and is dropped when it comes again, readers keep
    the first report.
    """
    ends = [Event(RUN, kind, "a", (1,), "a", attempt) for kind in NODE_ENDS for attempt in (0, 1, 2)]
    assert len({event.id for event in ends}) == 1
