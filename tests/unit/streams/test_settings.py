"""Settings: read from the environment with their types, documented, and refused by name."""

import dataclasses
from pathlib import Path

import pytest

from streams.settings import SettingError, Settings

PAGE = Path(__file__).parents[3] / "docs/reference/settings.md"


def test_settings_survive_the_way_to_a_child_process(tmp_path: Path) -> None:
    """What is given to a child as environment variables is what it reads."""
    made = Settings(home=tmp_path, partitions=3, announce=0.5, topic_prefix="team-")
    assert Settings.read(made.environ()) == made


@pytest.mark.parametrize("value", ["0", "-1", "soon", "", "inf", "nan"])
def test_a_time_that_is_none(value: str, tmp_path: Path) -> None:
    """A value that is no positive number of seconds is refused, with its name and itself."""
    with pytest.raises(SettingError, match=f"MILLRACE_ANNOUNCE: expected a positive number of seconds, got '{value}'"):
        Settings.read({"MILLRACE_HOME": str(tmp_path), "MILLRACE_ANNOUNCE": value})


@pytest.mark.parametrize(
    ("name", "value"), [("HTTP_PORT", "0"), ("HTTP_PORT", "65536"), ("PARTITIONS", "0"), ("WORKERS", "-1")]
)
def test_a_number_out_of_its_bounds(name: str, value: str, tmp_path: Path) -> None:
    """A number that nothing could work with is refused where it is read, with its name, itself and what it may be."""
    with pytest.raises(SettingError, match=rf"MILLRACE_{name}: expected a number from \d+ to \d+, got {value}$"):
        Settings.read({"MILLRACE_HOME": str(tmp_path), f"MILLRACE_{name}": value})


def test_a_home_that_is_not_ones_own(tmp_path: Path) -> None:
    """A state that cannot be opened is not taken for a spoilt one, which one would be told to remove."""
    (tmp_path / "stack.json").mkdir()
    with pytest.raises(
        SettingError, match=r"MILLRACE_HOME: .*stack.json cannot be read .*; set it to a home of your own"
    ):
        Settings.read({"MILLRACE_HOME": str(tmp_path)})


def test_every_setting_is_documented() -> None:
    """The page of settings names each with its default."""
    text = PAGE.read_text(encoding="utf-8")
    missing = []
    for one in dataclasses.fields(Settings):
        value = ("off", "on")[one.default] if isinstance(one.default, bool) else one.default
        default = f"`{value}`" if value != "" else "none"
        if f"| `MILLRACE_{one.name.upper()}` | {default} |" not in text:
            missing.append(one.name)
    assert missing == []


@pytest.mark.parametrize(("text", "value"), [("on", True), ("off", False)])
def test_a_switch_is_on_or_off(text: str, value: bool) -> None:
    """It is passed on to other processes as it is read."""
    settings = Settings.read({"MILLRACE_STRAIGHT_RUNS": text})
    assert settings.straight_runs is value
    assert settings.environ()["MILLRACE_STRAIGHT_RUNS"] == text
    with pytest.raises(SettingError, match="MILLRACE_STRAIGHT_RUNS: expected on or off, got 'maybe'"):
        Settings.read({"MILLRACE_STRAIGHT_RUNS": "maybe"})
