"""How many partitions a local stack's topics get."""

from pathlib import Path

import pytest

from infra.local.home import partitions


def _topics(home: Path, *names: str) -> None:
    for name in names:
        (home / "kafka" / "data" / name).mkdir(parents=True)


def test_a_new_home_has_few(tmp_path: Path) -> None:
    """Topics cost the broker by their partitions, and a small machine has few cores to share them."""
    assert partitions.of_home(tmp_path, 8, {}) == partitions.FEWEST


@pytest.mark.parametrize("prefix", ["", "mine-"])
def test_a_home_keeps_what_it_has(tmp_path: Path, prefix: str) -> None:
    """Flow's topics keep their partitions for good, so a home of an older release keeps its eight."""
    _topics(
        tmp_path, *(f"{prefix}run.events-{number}" for number in range(8)), "pipe.blur.requests-0", "run.events-meta"
    )
    assert partitions.of_home(tmp_path, 8, {}) == 8


def test_two_prefixes(tmp_path: Path) -> None:
    """The partitions of two installations on one broker are not added up."""
    _topics(tmp_path, "run.events-0", "run.events-1", "run.events-2", "other-run.events-0")
    assert partitions.of_home(tmp_path, 8, {}) == 3


def test_the_setting_wins(tmp_path: Path) -> None:
    """Who asks for a count gets it, and is told by the start when the topics have another."""
    _topics(tmp_path, "run.events-0")
    assert partitions.of_home(tmp_path, 5, {"MILLRACE_PARTITIONS": "5"}) == 5
