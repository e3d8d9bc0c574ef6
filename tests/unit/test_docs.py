"""The pages about tests in pipeline files, and about pipelines of the older format, show what holds."""

import re
from pathlib import Path

from schemas.contracts import load_contracts
from streams.language.definition.parse import parse
from streams.legacy.convert import convert
from streams.testing.cases.suite import examine, run

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "testing.md").read_text(encoding="utf-8")


def test_the_example_is_right_and_its_tests_hold() -> None:
    """The pipeline of the page compiles, and each of its tests passes."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    suite = examine(parse(text, "testing.md"), load_contracts())
    assert suite.problems == ()
    assert len(suite.ready) == 2
    assert all(run(suite, ready, 0).passed for ready in suite.ready)


def test_the_older_pipeline_becomes_what_the_page_shows() -> None:
    """The import's example is what the command writes."""
    page = (DOCS / "how-to" / "import.md").read_text(encoding="utf-8")
    (older,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (ours,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert convert(older, load_contracts()) == ours
