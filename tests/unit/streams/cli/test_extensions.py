"""Commands of other packages: found by entry points, imported late, and reported when their package is broken."""

import re
import sys
from pathlib import Path

import pytest

from streams.cli.app import run

GROUP = """
from streams.cli.command import Command, Group

GARDEN = Group(
    "garden",
    "Plants.",
    (
        Command("water", "garden_work:water", "Water them.", ("millrace garden water",)),
        Command("dig", "garden_missing:dig", "Dig.", ("millrace garden dig",)),
    ),
)
"""
FUNCTIONS = 'def water() -> None:\n    "Water the plants."\n    print("watered")\n'


def install(folder: Path, entry: str, **modules: str) -> None:
    """Write a distribution with one entry point and these modules."""
    info = folder / "garden-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: garden\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[millrace.commands]\ngarden = {entry}\n")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


@pytest.fixture(autouse=True)
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the folder on the path, and forget its modules afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def test_a_command_of_another_package_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Help lists the group, and its command runs."""
    install(tmp_path, "garden:GARDEN", garden=GROUP, garden_work=FUNCTIONS)
    assert run(["--help"]) == 0
    assert re.search(r"^  garden +Plants\.$", capsys.readouterr().out, re.MULTILINE)
    assert "garden_work" not in sys.modules
    assert run(["garden", "water"]) == 0
    assert capsys.readouterr().out == "watered\n"


def test_commands_of_millrace_do_not_import_other_packages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only help and names that are not Millrace's own look for extensions."""
    install(tmp_path, "garden:GARDEN", garden=GROUP)
    assert run(["lint", "--help"]) == 0
    assert "garden" not in sys.modules
    assert run(["grden"]) == 2
    assert "garden" in capsys.readouterr().err


def test_a_group_that_cannot_be_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Help marks it as unavailable, and running any of its commands says why."""
    install(tmp_path, "garden:GARDEN", garden="import missing_library\n")
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^  garden +\(unavailable\)$", shown, re.MULTILINE)
    assert "lint  " in shown
    assert run(["garden", "water", "--deep"]) == 70
    error = capsys.readouterr().err
    assert error == (
        "millrace: the command 'garden' is unavailable: garden:GARDEN cannot be imported (ModuleNotFoundError: No module "
        "named 'missing_library')\n"
    )


def test_an_entry_point_to_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An entry point must refer to a Group."""
    install(tmp_path, "garden:GARDEN", garden="GARDEN = 1\n")
    assert run(["garden"]) == 70
    assert "garden:GARDEN is not a Group, but of type int" in capsys.readouterr().err


def test_one_command_that_cannot_be_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others of its group still run."""
    install(tmp_path, "garden:GARDEN", garden=GROUP, garden_work=FUNCTIONS)
    assert run(["garden", "dig", "deep"]) == 70
    assert "the command 'dig' is unavailable: garden_missing:dig cannot be imported" in capsys.readouterr().err
    assert run(["garden", "water"]) == 0
