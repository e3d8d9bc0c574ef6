"""What a call says of its progress: what it may be, and what is sent of much."""

import math
import threading
from typing import Any

import numpy as np
import pytest

from streams.messages import Event, EventKind, Run
from streams.runtime.pool.progress_throttle import ProgressThrottle
from streams.service import call_context
from streams.service.progress_report import LARGEST, Progress, progress

RUN = Run("r", "p", "d", 0.0)


def event(**data: Any) -> Event:
    """Progress of the first attempt of a node."""
    return Event(RUN, EventKind.PROGRESS, "train", (), "train", 1, data)


def test_figures_are_what_json_can_carry() -> None:
    """Numbers of other libraries are numbers, what is no number is null, and anything else is refused."""
    made = progress("x" * 1000, 1.5, {"loss": math.nan, "share": np.float32(0.5), "of": np.int64(3), "list": [1, 2]})
    assert made == Progress("x" * 500, 1.0, {"loss": None, "share": 0.5, "of": 3, "list": [1, 2]})
    assert progress("", math.nan, {}).to_data() == {"number": 0}
    with pytest.raises(TypeError, match="object is not"):
        progress("", None, {"a": object()})
    with pytest.raises(ValueError, match="are the most"):
        progress("", None, {"a": "x" * LARGEST})


def test_outside_a_run_it_does_nothing() -> None:
    """A function that tells of its progress can be called in a test like any other."""
    call_context.progress("step 1", done=0.5)
    said: list[Progress] = []
    with call_context.heard_by(said.append):
        call_context.progress("step 2", n=2)
    call_context.progress("step 3")
    assert said == [Progress("step 2", None, {"n": 2})]


def test_a_reporter_sends_the_first_and_the_last() -> None:
    """The first goes at once; what comes too soon after it waits, and only its newest is sent, at the end."""
    sent: list[Progress] = []
    reporter = ProgressThrottle(sent.append, period=3600)
    for text in ("a", "b", "c"):
        reporter.report(Progress(text))
    assert sent == [Progress("a", number=1)]
    reporter.close()
    reporter.report(Progress("late"))
    reporter.close()
    assert sent == [Progress("a", number=1), Progress("c", number=3)]


def test_a_reporter_does_not_wait_for_another_word() -> None:
    """What came too soon is sent when its time has come, though nothing more is said."""
    sent: list[Progress] = []
    twice = threading.Event()

    def send(one: Progress) -> None:
        sent.append(one)
        if len(sent) == 2:
            twice.set()

    reporter = ProgressThrottle(send, period=0.01)
    reporter.report(Progress("a"))
    reporter.report(Progress("b"))
    assert twice.wait(10)
    reporter.close()
    assert [one.text for one in sent] == ["a", "b"]


def test_a_reporter_that_nobody_listens_to_is_not_in_the_way() -> None:
    """A broken pipe is not the fault of the service that says something."""

    def send(_: Progress) -> None:
        raise BrokenPipeError

    reporter = ProgressThrottle(send)
    reporter.report(Progress("a"))
    reporter.close()


def test_ids_of_progress() -> None:
    """The same word of the same attempt has one id; another number, word, attempt or node another; the end is known before it."""
    first = event(number=1, text="a")
    assert first.id == event(text="a", number=1).id
    others = [
        event(number=2, text="a"),
        event(number=1, text="b"),
        Event(RUN, EventKind.PROGRESS, "train", (), "train", 2, first.data),
        Event(RUN, EventKind.PROGRESS, "train", (0,), "train", 1, first.data),
        Event(RUN, EventKind.PROGRESS, "test", (), "test", 1, first.data),
        Event(RUN, EventKind.STARTED, "train", (), "train", 1),
    ]
    assert len({first.id, *(one.id for one in others)}) == 7
    assert first.end == Event(RUN, EventKind.FINISHED, "train", (), "train", 1).id
