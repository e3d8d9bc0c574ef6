"""Detectors as an operator has them: a network, and the file beside it that describes it."""

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.detectors.shapes import LABELS

ROOT = Path(__file__).parents[2]


@cache
def _trained() -> bytes:
    """The network that finds drawn shapes. On one thread: more of them take longer over such small pictures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shapes.onnx"
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        command = [sys.executable, "-m", "tests.detectors.export", str(path)]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **threads}, check=True)
        return path.read_bytes()


def shapes(folder: Path) -> Path:
    """The description of the detector of shapes, which is trained once a session, in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shapes.onnx").write_bytes(_trained())
    return describe(folder, file="shapes.onnx", labels=LABELS, size=64)


def describe(folder: Path, **fields: Any) -> Path:
    """A description with these fields."""
    path = folder / "detector.json"
    path.write_text(json.dumps(fields), encoding="utf-8")
    return path
