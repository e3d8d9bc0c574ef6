"""One training at a time."""

import io
import threading
from pathlib import Path

from tests.integration.support.eventually import eventually
from training.machine_lock import turn
from training.report import Report


def test_the_second_training_waits_and_says_for_what(tmp_path: Path) -> None:
    """The second training says what it waits for, and begins when the first has ended."""
    said, began = io.StringIO(), threading.Event()

    def second() -> None:
        with turn(tmp_path, "another", Report("digits", to=said)):
            began.set()

    with turn(tmp_path, "digits 0,1,2", Report("digits", to=io.StringIO())):
        waiting = threading.Thread(target=second)
        waiting.start()
        eventually(lambda: "waits its turn: digits 0,1,2 is trained" in said.getvalue(), 10)
        assert not began.is_set()
    waiting.join(10)
    assert began.is_set()
