"""Versions from the command line: the plan, all or nothing, a trial, going back."""

from pathlib import Path

import pytest

from tests.acceptance.command import CommandResult, millrace
from tests.acceptance.system import System
from tests.integration.support.eventually import eventually

TEXT = """\
pipeline: cli-versions
input: {n: int}
nodes: {more: {value: "${n + 1}"}}
output: {n: "${more}"}
"""


@pytest.fixture(scope="module")
def home(system: System) -> Path:
    """The system's home."""
    return system.stack.home


def apply(home: Path, folder: Path, *more: str) -> CommandResult:
    """`millrace apply` of a folder, which must succeed."""
    said = millrace("apply", str(folder), *more, home=home)
    assert said.status == 0, said.err
    return said


def statuses(home: Path) -> list[str]:
    """What the versions of the pipeline are, newest first."""
    return [
        row["status"] for row in millrace("pipelines", "cli-versions", "--versions", "--output", "json", home=home).rows
    ]


def value(home: Path, n: int) -> int:
    """What the pipeline makes of a number."""
    (row,) = millrace("run", "cli-versions", "-i", f"n={n}", "--wait", "30", "--output", "json", home=home).rows
    result: int = row["output"]["n"]
    return result


def test_a_folder_is_applied_whole_or_not_at_all(home: Path, tmp_path: Path) -> None:
    """The plan comes first; a dry run and a folder with one bad file change nothing; a trial, a rollback and the file again."""
    (tmp_path / "good.yaml").write_text(TEXT)
    dry = apply(home, tmp_path, "--dry-run")
    assert "+ cli-versions: new" in dry.out
    assert "pipeline.cli-versions.requests" in dry.out
    (tmp_path / "bad.yaml").write_text(TEXT.replace("cli-versions", "cli-other").replace("${n + 1}", "${m + 1}"))
    refused = millrace("apply", str(tmp_path), home=home)
    assert (refused.status, refused.out) == (1, "")
    assert "bad.yaml:3:" in refused.err
    assert millrace("pipelines", "cli-versions", home=home).status == 14
    (tmp_path / "bad.yaml").unlink()

    apply(home, tmp_path, "--yes")
    eventually(lambda: statuses(home) == ["active"], 30)
    assert value(home, 1) == 2
    (tmp_path / "good.yaml").write_text(TEXT.replace("n + 1", "n + 100"))
    assert "canary: 1%" in apply(home, tmp_path, "--canary", "1%").out
    eventually(lambda: sorted(statuses(home)) == ["active", "canary"], 30)
    assert millrace("rollback", "cli-versions", home=home).status == 0
    eventually(lambda: sorted(statuses(home)) == ["active", "former"], 30)
    assert "~ cli-versions: changed" in apply(home, tmp_path).out
    eventually(lambda: value(home, 1) == 101, 30)
    assert millrace("rollback", "cli-versions", home=home).status == 0
    eventually(lambda: value(home, 1) == 2, 30)
    assert millrace("rollback", "cli-versions", "zz", home=home).status == 14
    assert millrace("apply", "--canary", "120%", home=home).status == 2
    removed = millrace("apply", "--prune", "--yes", home=home)
    assert "- cli-versions: removed" in removed.out
    assert "pipeline.cli-versions.results no longer used" in removed.out
