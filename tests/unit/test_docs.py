"""Pages show what holds: their examples are compiled and run, their tables compared with the code."""

import re
import tomllib
from pathlib import Path

import pytest

from schemas.contracts import load_contracts
from streams.cli.command import Group
from streams.cli.commands import COMMANDS, GROUPS
from streams.cli.exits import Exit
from streams.cli.extensions import groups
from streams.compile.library import shipped
from streams.language.definition.parse import parse
from streams.legacy.convert import convert
from streams.testing.cases.suite import examine, run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def read(page: str) -> str:
    """The text of a page below docs/."""
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in this language."""
    every = re.findall(r"^```(\w*)\n(.*?)^```", read(page), re.DOTALL | re.MULTILINE)
    return [text for name, text in every if name == language]


@pytest.mark.parametrize(
    ("page", "index"), [("how-to/testing.md", 0), ("tutorial/first-pipeline.md", 0), ("tutorial/first-pipeline.md", 1)]
)
def test_a_pipeline_of_a_page_is_right_and_its_tests_hold(page: str, index: int) -> None:
    """It compiles, and each of its tests passes, in every order of messages."""
    suite = examine(parse(blocks(page, "yaml")[index], page), load_contracts())
    assert suite.problems == ()
    assert suite.ready
    assert all(run(suite, ready, 0).passed for ready in suite.ready)


def test_the_problems_of_the_tutorial_are_what_lint_prints() -> None:
    """The two mistakes that it suggests give the two lines that it shows."""
    text = blocks("tutorial/first-pipeline.md", "yaml")[0]
    text = text.replace("image-greyscale", "image-grayscale").replace("small.image", "small.imag")
    suite = examine(parse(text, "small-grey.yaml"), load_contracts())
    shown = next(block for block in blocks("tutorial/first-pipeline.md", "") if "imag" in block)
    assert [str(problem) for problem in suite.problems] == shown.splitlines()


def test_the_service_of_the_tutorial_is_the_tested_one() -> None:
    """It is the README's, which `test_readme` writes into a copy of the project and tests there."""
    (tutorial,) = blocks("tutorial/first-service.md", "python")
    assert f"```python\n{tutorial}```" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_older_pipeline_becomes_what_the_page_shows() -> None:
    """The import's example is what the command writes."""
    (older,) = blocks("how-to/import.md", "json")
    (ours,) = blocks("how-to/import.md", "yaml")
    assert convert(older, load_contracts()) == ours


def test_every_service_and_pipeline_is_on_its_page() -> None:
    """A new one gets a row in the table, and one that is removed loses it."""
    cells = set(
        re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\|([^|]*)\|", read("reference/services.md"), re.MULTILINE)))
    )
    names = set(load_contracts()) | set(shipped())
    assert names == cells, f"docs/reference/services.md: rows missing {names - cells}, rows too many {cells - names}"


def test_every_command_is_on_its_page() -> None:
    """Commands and those of groups each stand in a row."""
    rows = [line for line in read("reference/cli.md").splitlines() if line.startswith("| `millrace")]
    first = "\n".join(row.split("|")[1] for row in rows)
    missing = [command.name for command in COMMANDS if f"`millrace {command.name}`" not in first]
    for group in (*GROUPS, *groups()):
        assert isinstance(group, Group)
        row = next((row.split("|")[1] for row in rows if f"`millrace {group.name} " in row), "")
        missing += [
            f"{group.name} {command.name}" for command in group.commands if not re.search(rf"[` ]{command.name}`", row)
        ]
    assert missing == []


def test_every_exit_status_is_on_its_page() -> None:
    """The numbers that scripts may go by."""
    listed = re.findall(r"^\| (\d+) \|", read("reference/cli.md"), re.MULTILINE)
    assert [int(status) for status in listed] == [status.value for status in Exit]


def test_the_changelog_has_one_line_an_entry() -> None:
    """Short entries, under the headings of Keep a Changelog."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    entries = [line for line in text.splitlines() if line.startswith("- ")]
    assert entries
    assert [entry for entry in entries if len(entry) > 200] == []
    assert not re.search(r"^[ \t]+\S", text, re.MULTILINE), "an entry that goes on in a second line"


def test_the_layers_of_the_architecture_are_those_that_the_linter_holds() -> None:
    """The drawing of streams is the import contract."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if "streams.cli" in contract.get("layers", ())]
    assert blocks("explanation/architecture.md", "")[1].splitlines() == layers


def test_every_folder_is_on_the_architecture_page() -> None:
    """A new folder of the packages gets a row, and the page names no folder that is gone."""
    page = read("explanation/architecture.md")
    parents = [ROOT, *(ROOT / parent for parent in ("streams", "streams/runtime", "agents", "gateway"))]
    packages = {init.parent for parent in parents for init in parent.glob("*/__init__.py")}
    packages = {package for package in packages if package.relative_to(ROOT).parts[0] != "tests"}
    named = {ROOT / folder for folder in re.findall(r"`([a-z_/]+)/`", page)}
    assert {str(folder.relative_to(ROOT)) for folder in packages - named} == set()
    assert {str(folder.relative_to(ROOT)) for folder in named if not folder.is_dir()} == set()
