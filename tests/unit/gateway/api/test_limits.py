"""The settings of a gateway, and that the page about HTTP is complete."""

import dataclasses
from pathlib import Path

import pytest

from gateway.api.limits import PREFIX, Limits
from gateway.api.problems import Kind
from streams.settings import SettingError

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "http.md"


def test_limits_are_read_from_the_environment() -> None:
    """What is set is taken with its type; what is not has its default."""
    made = Limits.read(
        {"MILLRACE_GATEWAY_BODY": "10", "MILLRACE_GATEWAY_PING": "0.5", "MILLRACE_GATEWAY_CALLBACKS": "a:1"}
    )
    assert (made.body, made.ping, made.callbacks) == (10, 0.5, "a:1")
    assert made.clients == Limits().clients


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "", "inf", "nan"])
def test_a_limit_that_is_none(value: str) -> None:
    """A value that is no positive number of its kind is refused, with its name and itself."""
    with pytest.raises(SettingError, match=f"MILLRACE_GATEWAY_PARTS: expected a positive number, got '{value}'"):
        Limits.read({"MILLRACE_GATEWAY_PARTS": value})


def test_every_setting_and_problem_is_documented() -> None:
    """The page about HTTP names every setting, and every type of problem with its status."""
    text = PAGE.read_text(encoding="utf-8")
    missing = [one.name for one in dataclasses.fields(Limits) if f"`{PREFIX}{one.name.upper()}`" not in text]
    missing += [kind.type for kind in Kind if f"| `{kind.type}` | {kind.status} | {kind.title}" not in text]
    assert missing == []
