"""What every error of the project has in common: one root, and who can put it right."""

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import Blame, MillraceError, Nonconforming, RegistryUnavailable
from streams.runtime.errors import RuntimeFault, Unavailable
from streams.service.errors import InvalidInput, PartUnavailable, RetryLater
from streams.settings import SettingError

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "streams", "agents", "gateway", "infra", "training")
ANSWERS = {
    "streams.cli.exits.Failed": "how a command ends",
    "streams.testing.driver.ServiceFailed": "how a service of a test ends",
    "gateway.api.problems.Problem": "the document that a client reads",
    "gateway.http.protocol.Refused": "carries such a document",
}
"""Exceptions that carry an answer: nothing went wrong with the program that raises them."""


def classes() -> Iterator[tuple[str, list[str]]]:
    """Each class of the project as `module.Name`, with its bases: `module.Name` for ours, `Name` for Python's.

    The root as `streams.errors` offers it counts as the root itself.
    """
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            tree = ast.parse(file.read_text())
            names = {node.name: f"{module}.{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)}
            for node in tree.body:
                if isinstance(node, ast.ImportFrom):
                    names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    bases = [names.get(base.id, base.id) for base in node.bases if isinstance(base, ast.Name)]
                    yield (
                        f"{module}.{node.name}",
                        [base.replace("streams.errors.Mill", "schemas.errors.Mill") for base in bases],
                    )


def ancestors(name: str, bases: dict[str, list[str]]) -> set[str]:
    """A class and every class that it derives from."""
    return {name}.union(*(ancestors(base, bases) for base in bases.get(name, ())))


def is_exception(name: str) -> bool:
    """Whether this is the name of an exception of Python's."""
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, Exception)


def test_every_error_that_others_can_catch_has_one_root() -> None:
    """`except MillraceError` catches what Millrace raises on purpose, wherever it is defined."""
    bases = dict(classes())
    public = [name for name in bases if not name.rpartition(".")[2].startswith("_")]
    errors = [name for name in public if any(map(is_exception, ancestors(name, bases)))]
    rootless = [name for name in errors if "schemas.errors.MillraceError" not in ancestors(name, bases)]
    assert len(errors) > 50
    assert set(rootless) == ANSWERS.keys()


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (InvalidInput, Blame.CALLER),
        (Nonconforming, Blame.CALLER),
        (RetryLater, Blame.NOBODY),
        (PartUnavailable, Blame.NOBODY),
        (RegistryUnavailable, Blame.NOBODY),
        (Unavailable, Blame.NOBODY),
        (SettingError, Blame.OPERATOR),
        (RuntimeFault, Blame.OURS),
    ],
)
def test_an_error_says_who_can_put_it_right(error: type[MillraceError], blame: Blame) -> None:
    """A program that reports an error knows for whom, without a table of its own."""
    assert error.blame is blame
