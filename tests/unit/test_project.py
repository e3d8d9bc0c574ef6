"""What pyproject.toml says of the project is true of its code."""

import ast
import functools
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("schemas", "streams", "agents", "gateway", "infra")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def dependencies() -> list[str]:
    """Every package that an installation may bring, by its name."""
    extras = PROJECT["optional-dependencies"].values()
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    return sorted({re.split(r"[\[<>=~!; ]", line, maxsplit=1)[0] for line in lines})


installed = functools.cache(packages_distributions)


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


@functools.cache
def named() -> frozenset[str]:
    """The top names of all modules that shipped code imports, and the texts that may be a name: for what is only looked for."""
    found: set[str] = set()
    for file in (file for top in SHIPPED for file in (ROOT / top).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                found.add(node.value)
    return frozenset(found)


@pytest.mark.parametrize("name", dependencies())
def test_every_dependency_is_used(name: str) -> None:
    """What nobody imports is not installed on other people's machines."""
    modules = {module for module, names in installed().items() if name in map(_plain, names)}
    assert modules, f"{name} is not installed"
    assert modules & named()


def test_uv_is_one_version_everywhere() -> None:
    """The script that fetches it and the images name the same exact one: it decides what is installed."""
    files = ("infra/local/bootstrap", "infra/docker/Dockerfile")
    named = [re.findall(r"'uv([^']*)'", (ROOT / file).read_text(encoding="utf-8")) for file in files]
    assert named[0] == named[1]
    assert re.fullmatch(r"==\d+\.\d+\.\d+", named[0][0])
