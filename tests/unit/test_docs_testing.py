"""The page about tests in pipeline files shows what holds."""

import re
from pathlib import Path

from schemas.contracts import load_contracts
from streams.cases.suite import examine, run
from streams.spec.parse import parse

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def test_the_example_is_right_and_its_tests_hold() -> None:
    """The pipeline of the page compiles, and each of its tests passes."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    suite = examine(parse(text, "testing.md"), load_contracts())
    assert suite.problems == ()
    assert len(suite.ready) == 2
    assert all(run(suite, ready, 0).passed for ready in suite.ready)
