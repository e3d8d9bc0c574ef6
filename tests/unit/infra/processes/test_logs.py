"""The parts' logs."""

from pathlib import Path

from infra.local.processes import logs


def test_a_log_past_its_limit_is_cut_under_its_writer(tmp_path: Path) -> None:
    """What was written moves to one older file, and who appends goes on at the start."""
    log = logs.path(tmp_path, "part")
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old " * 100)
        assert logs.trim(log, limit=100)
        writer.write(b"new")
    assert log.read_bytes() == b"new"
    assert log.with_suffix(".log.1").read_bytes() == b"old " * 100


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    """Below the limit nothing happens, nor without a log."""
    log = logs.path(tmp_path, "part")
    assert not logs.trim(log)
    log.write_text("short")
    assert not logs.trim(log, limit=5)
    assert log.read_text() == "short"


def test_lines_of_an_earlier_life_do_not_count(tmp_path: Path) -> None:
    """After a restart only what was written since then is asked."""
    log = logs.path(tmp_path, "part")
    logs.mark(log)
    with log.open("a") as file:
        file.write("ready\n")
    logs.mark(log)
    with log.open("a") as file:
        file.write("not yet\n")
    assert logs.since_start(log) == ["not yet"]


def test_the_tail_of_a_long_log_is_its_end(tmp_path: Path) -> None:
    """The last lines are read without reading all of it; no log has no lines."""
    log = logs.path(tmp_path, "part")
    assert logs.tail(log) == ""
    log.write_text("".join(f"{number}\n" for number in range(100_000)))
    assert logs.tail(log, lines=2) == "99998\n99999"
