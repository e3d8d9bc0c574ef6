"""The layout of the packages: small folders, each with one idea that its `__init__` states in a sentence."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "streams", "agents", "gateway", "infra", "training")
MOST_MODULES = 12
EXEMPT = {
    "agents/services": "one file a service: a new service is a new file here",
    "gateway/routes": "one file a noun of the HTTP API",
}
"""Folders that grow by design, and why a reader of them needs no subfolders."""


def folders() -> list[str]:
    """Every folder with Python modules in it, relative to the project."""
    modules = (module for package in PACKAGES for module in (ROOT / package).rglob("*.py"))
    return sorted({str(module.parent.relative_to(ROOT)) for module in modules})


@pytest.mark.parametrize("folder", [folder for folder in folders() if folder not in EXEMPT])
def test_a_folder_is_small_enough_to_read_at_a_glance(folder: str) -> None:
    """At most twelve modules beside the `__init__`: split a larger folder by idea, or add it to `EXEMPT` with a reason."""
    modules = sorted(path.name for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py")
    assert len(modules) <= MOST_MODULES, modules


@pytest.mark.parametrize("folder", folders())
def test_a_package_says_in_one_sentence_what_it_is(folder: str) -> None:
    """The docstring of `__init__` begins with one sentence; an index of the modules may follow after an empty line."""
    init = ROOT / folder / "__init__.py"
    assert init.exists(), "a folder of modules needs an __init__.py"
    docstring = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")))
    assert docstring, f"{folder}/__init__.py has no docstring"
    sentence = " ".join(docstring.partition("\n\n")[0].split())
    assert sentence.endswith("."), sentence
    assert not re.search(r"[.!?] [A-Z]", sentence), f"more than one sentence: {sentence}"


def test_every_exempt_folder_still_needs_its_exemption() -> None:
    """An exemption that is no longer needed is removed."""
    for folder in EXEMPT:
        modules = [path for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py"]
        assert len(modules) > MOST_MODULES, folder
