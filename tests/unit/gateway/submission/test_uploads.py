"""Places for those who follow runs or wait for results."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.api.limits import Limits
from gateway.api.problems import Problem
from gateway.app import create_app
from streams.settings import Settings


def test_one_address_does_not_get_every_place(tmp_path: Path) -> None:
    """One of ten is kept for others."""
    streams = create_app(Settings(home=tmp_path), Limits(clients=20)).components.following.streams
    with ExitStack() as stack:
        for _ in range(18):
            stack.enter_context(streams.slot("a"))
        with pytest.raises(Problem, match="18 from your address"):
            streams.check_capacity("a")
        for _ in range(2):
            stack.enter_context(streams.slot("b"))
        with pytest.raises(Problem, match="20 clients"):
            streams.check_capacity("b")
    streams.check_capacity("a")
