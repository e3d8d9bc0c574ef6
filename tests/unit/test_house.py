"""The layout of the packages: small folders, each with one idea that its `__init__` states in a sentence."""

import ast
import re
from collections.abc import Iterator
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
EMPTY_NAMES = frozenset({"one", "made", "found", "told", "given"})
"""Names that say nothing of what they hold."""
NOT_YET_NAMED = frozenset({"agents", "training"})
"""Packages that still have such names. Only take packages out."""


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


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that code defines or reads, with its line: variables, parameters, attributes, functions and classes."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)):
                yield node.lineno, name


def empty_names(source: str) -> list[str]:
    """Each name in the source that says nothing, with its line."""
    return [f"{line}: {name}" for line, name in _names(ast.parse(source)) if name.strip("_").lower() in EMPTY_NAMES]


@pytest.mark.parametrize(
    "source",
    [
        "one = 1",
        "def read(given): ...",
        "def _found(): ...",
        "class Told: ...",
        "made.x",
        "x.made = 1",
        "[one.x for one in xs]",
        "import x as one",
        "match x:\n    case [*found]: ...",
        "try: ...\nexcept ValueError as made: ...",
        "lambda one: 1",
    ],
)
def test_a_name_that_says_nothing_is_noticed(source: str) -> None:
    """The check sees variables, parameters, attributes, functions, classes and patterns."""
    assert empty_names(source) != []


def test_words_that_only_contain_such_a_name_are_fine() -> None:
    """So are texts and longer names."""
    assert empty_names("not_found = lambda made_up: 'one'") == []


@pytest.mark.parametrize("package", [package for package in PACKAGES if package not in NOT_YET_NAMED])
def test_names_say_what_they_hold(package: str) -> None:
    """A name is the noun of what it holds: `field`, not `one`; `problems`, not `found`; `record`, not `made`."""
    problems = [
        f"{module.relative_to(ROOT)}:{problem}"
        for module in sorted((ROOT / package).rglob("*.py"))
        for problem in empty_names(module.read_text(encoding="utf-8"))
    ]
    assert problems == []
