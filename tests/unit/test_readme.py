"""The README is short, and its examples work as they stand."""

import hashlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image
from typer.testing import CliRunner

from schemas.contracts import load_contracts
from streams.cli.app import build
from streams.compile import compile_pipeline
from streams.render.mermaid import mermaid
from streams.service.child_calls import find
from streams.service.invocation import Service

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _block(language: str, containing: str) -> str:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(block for block in blocks if containing in block)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The service of the README, imported from a file of its own."""
    file = tmp_path / "image_turn.py"
    file.write_text(_block("python", "image-turn"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("image_turn", file)
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "image_turn", made)
    spec.loader.exec_module(made)
    return made


def test_the_service_of_the_readme_is_whole_in_one_file(module: ModuleType) -> None:
    """The example service has a contract and does what its doc says."""
    service = find(module.__name__, "image-turn")
    assert isinstance(service, Service)
    picture = Image.new("RGB", (4, 2), "white")
    picture.putpixel((0, 0), (255, 0, 0))
    data = io.BytesIO()
    picture.save(data, "PNG")
    sha = hashlib.sha256(data.getvalue()).hexdigest()
    ref = {"bucket": "b", "key": "k", "size": len(data.getvalue()), "sha256": sha, "media_type": "image/png"}
    made = service.invoke({"image": ref}, {sha: data.getvalue()})
    with Image.open(io.BytesIO(made.objects[0].data)) as turned:
        assert turned.convert("RGB").getpixel((3, 1)) == (255, 0, 0)


@pytest.mark.timeout(400)  # it starts the project twice
def test_the_recipe_for_a_service_passes_the_projects_tests(tmp_path: Path) -> None:
    """In a copy of the project: the file is written, `make schemas` run, and then every test that looks at services holds."""
    left = shutil.ignore_patterns(".*", "__pycache__", "benchmarks", "docs")
    copy = shutil.copytree(ROOT, tmp_path / "copy", ignore=left)
    (copy / "agents" / "services" / "image_turn.py").write_text(_block("python", "image-turn"), encoding="utf-8")
    assert "make schemas" in _block("sh", "make schemas")
    environ = {**os.environ, "PYTHONPATH": str(copy)}

    def run(*command: str) -> str:
        done = subprocess.run([sys.executable, "-P", *command], cwd=copy, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert run("-m", "streams.cli", "schemas").splitlines() == [
        "written: image-turn.input.avsc",
        "written: image-turn.output.avsc",
    ]
    files = ("agents/services/test_all.py", "infra/test_compose_file.py", "infra/parts/test_table.py")
    # Of what is tested once a service, only the new one; the others are tested where they stand.
    said = run(
        "-m",
        "pytest",
        *(f"tests/unit/{file}" for file in files),
        "-k",
        "image-turn or not [",
        "-q",
        "-p",
        "no:cacheprovider",
    )
    assert "failed" not in said
    assert " passed" in said


def test_the_pipeline_and_its_picture_are_true() -> None:
    """The example pipeline fits the services that are shipped, and the graph is what `--mermaid` draws of it."""
    topology = compile_pipeline(_block("yaml", "pipeline:"), load_contracts())
    assert topology.name == "face-thumbnail"
    assert _block("mermaid", "flowchart") == mermaid(topology)


def test_it_is_read_in_a_few_minutes() -> None:
    """Details belong in docs/."""
    assert README.count("\n") < 120


def test_every_command_of_the_readme_exists() -> None:
    """Each `millrace` command and `make` target that the README shows is there."""
    shown = set(re.findall(r"^millrace ([a-z-]+)", README, re.MULTILINE))
    assert shown
    known = CliRunner().invoke(build(), ["--help"]).output
    assert all(f" {command} " in known for command in shown), shown
    targets = set(re.findall(r"^make ([a-z]+)|`make ([a-z]+)`", README, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known_targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {one or other for one, other in targets} <= known_targets
