"""Train models as production does, in the training environment, with a registry of models for the tests."""

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from PIL import Image
from psycopg import sql

from streams.settings import Settings
from tests.integration.support.eventually import eventually
from training.digits.pictures.drawn import drawn
from training.part import REPOSITORY

PYTHON = REPOSITORY / Settings.read({}).train / "bin" / "python"
_SYNCED = PYTHON.parents[1] / "synced"
_FAILED = REPOSITORY / ".millrace" / "train-failed"
_COMING_SECONDS = 600.0


def await_environment() -> None:
    """Wait until `make test`, which makes the environment for training beside the first tests, is done with it."""
    if os.environ.get("MILLRACE_TEST_TRAINER") == "coming":
        eventually(lambda: _SYNCED.exists() or _FAILED.exists(), _COMING_SECONDS)


@pytest.fixture(scope="session")
def training_environment() -> Path:
    """Return the Python interpreter of the environment for training. A test is skipped where nobody has made it."""
    assert not _FAILED.exists(), "the environment for training could not be made: see what `make trainer` says"
    if not PYTHON.exists():
        pytest.skip(f"needs the environment for training ({PYTHON}): run `make trainer`")
    return PYTHON


@dataclasses.dataclass(frozen=True)
class Trainer:
    """Starts trainings, and looks at what became of them."""

    settings: Settings

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A training; its output are JSON lines."""
        command = [str(PYTHON), "-m", "training", *arguments, "--report", "json"]
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, **self.settings.environ()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> list[dict[str, Any]]:
        """What a training says, to its end. Fails when it does."""
        with self.start(*arguments) as process:
            out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
        return [json.loads(line) for line in out.splitlines()]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of MLflow's tables."""
        with psycopg.connect(self.settings.mlflow_database) as connection:
            return connection.execute(sql.SQL(query)).fetchall()

    def champion(self, slot: str = "digit-recognition") -> dict[str, str]:
        """The tags of the version that has the alias."""
        with psycopg.connect(self.settings.mlflow_database) as connection:
            found = connection.execute(
                "select key, value from model_version_tags join registered_model_aliases using (name, version) "
                "where name = %s and alias = 'champion'",
                [slot],
            ).fetchall()
        return dict(found)


def picture(digit: int) -> bytes:
    """A drawn digit as a file."""
    out = BytesIO()
    ink = drawn(1, np.random.default_rng(digit), (digit,)).pictures[0]
    Image.fromarray(np.pad(255 - ink, 20, constant_values=255)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def trainer(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, training_environment: Path
) -> Iterator[Trainer]:
    """A home and a registry for this module alone, on the session's stack."""
    data = Settings.read().data.resolve()
    if not (data / "mnist").exists():
        pytest.skip("needs the public data: run `millrace data fetch mnist` and set MILLRACE_DATA to its directory")
    schema = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(settings.mlflow_database, autocommit=True) as connection:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        yield Trainer(
            dataclasses.replace(
                settings,
                home=tmp_path_factory.mktemp("trainer"),
                data=data,
                mlflow=f"{settings.mlflow_database}?options=-csearch_path%3D{schema}",
                train=PYTHON.parent.parent,
            )
        )
        connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
