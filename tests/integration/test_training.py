"""A model is trained, kept, registered and judged by the real parts: TensorFlow, MLflow on PostgreSQL, S3."""

import json
from pathlib import Path
from typing import Any

import pytest

from agents.digits.models import FOLDER
from streams.models import check, read
from tests.integration.trainer import Trainer, trainer
from training.objects import Objects

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(400)]

ORDER = ("digits", "--register", "--digits", "1,0", "--pictures", "1500", "--epochs", "2", "--call", "first")


@pytest.fixture(scope="module")
def lines(trainer: Trainer) -> list[dict[str, Any]]:
    """What a training of two digits says that is killed after its first epoch, and then asked for again."""
    with trainer.start(*ORDER) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["kind"] == "epoch":
                break
        process.kill()
    return trainer.run(*ORDER)


def test_a_training_that_was_killed_goes_on(lines: list[dict[str, Any]]) -> None:
    """The first epoch is not learned twice, and the end says all that is to be known."""
    assert [one["epoch"] for one in lines if one["kind"] == "epoch"] == [2]
    end = lines[-1]
    assert (end["kind"], end["model"], end["registered"]) == ("end", "mnist_model_01", "2")
    assert end["figures"]["test.accuracy"] > 0.99
    assert end["figures"]["test.accuracy.all"] < 0.22
    assert set(end["pictures"]) == {"confusion", "course", "recall"}
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in end["pictures"].values())


def test_the_shipped_model_is_the_first_version(trainer: Trainer, lines: list[dict[str, Any]]) -> None:
    """An empty slot gets the shipped bundle as version 1, which the new model has to stand up to."""
    assert lines
    tags = dict(trainer.rows("select key, value from model_version_tags where version = 1"))
    assert tags["millrace.version"] == read(FOLDER).version
    assert tags["millrace.bundle"] == f"models/digit-recognition/{read(FOLDER).version}"


def test_a_model_that_is_not_worse_is_the_champion(trainer: Trainer, lines: list[dict[str, Any]]) -> None:
    """The alias moves to it; the verdict stands with the version, and names what it does not know."""
    end, tags = lines[-1], trainer.champion()
    assert end["promoted"], end["verdict"]
    assert (tags["millrace.model"], tags["millrace.version"]) == ("mnist_model_01", end["version"])
    assert tags["millrace.verdict"] == end["verdict"]
    assert "It does not know 2, 3, 4, 5, 6, 7, 8, 9" in end["verdict"]


def test_its_bundle_is_in_s3(trainer: Trainer, lines: list[dict[str, Any]], tmp_path: Path) -> None:
    """What is kept is whole, and what is kept once is not changed by another with the same name."""
    objects, end = Objects(trainer.settings), lines[-1]
    bundle = objects.fetch("digit-recognition", end["version"], tmp_path)
    assert bundle.card["digits"] == [0, 1]
    assert bundle.dataset == end["dataset"]
    (tmp_path / "card.json").write_text(json.dumps({**bundle.card, "claims": "all"}))
    objects.keep("digit-recognition", check(tmp_path))
    again = objects.fetch("digit-recognition", end["version"], tmp_path / "again")
    assert again.card["claims"].startswith("Reads 0, 1.")


def test_mlflow_has_how_it_went(trainer: Trainer, lines: list[dict[str, Any]]) -> None:
    """Both attempts are one run, with the curve of every epoch, what decided it, the dataset, and the pictures in S3."""
    assert lines
    runs = trainer.rows("select run_uuid, status, artifact_uri from runs")
    assert [status for _, status, _ in runs] == ["FINISHED"]
    steps = trainer.rows("select step from metrics where key = 'validation' order by step")
    assert [step for (step,) in steps] == [1, 2]
    params = dict(trainer.rows("select key, value from params"))
    assert (params["digits"], params["epochs"], params["seed"]) == ("0,1", "2", "5")
    assert trainer.rows("select name from datasets") == [("mnist",)]
    prefix = runs[0][2].removeprefix(f"s3://{trainer.settings.s3_bucket}/")
    assert {name.rpartition("/")[2] for name in Objects(trainer.settings).names(prefix)} == {
        "confusion.png", "course.png", "recall.png", "card.md",
    }  # fmt: skip


def test_the_same_call_is_told_its_outcome(trainer: Trainer, lines: list[dict[str, Any]]) -> None:
    """Asked again, as after a worker was killed that had not passed the outcome on, nothing is trained or registered again."""
    assert trainer.run(*ORDER) == lines[-1:]
    assert trainer.rows("select count(*) from model_versions") == [(2,)]


def test_a_worse_model_is_refused_and_kept(trainer: Trainer, lines: list[dict[str, Any]]) -> None:
    """It stays registered, without the alias, with the reason; the champion serves on."""
    end = trainer.run("digits", "--register", "--digits", "0,1", "--pictures", "10", "--epochs", "1")[-1]
    assert not end["promoted"]
    assert end["verdict"].startswith("Refused: worse than the champion")
    assert trainer.champion()["millrace.version"] == lines[-1]["version"]
    verdicts = trainer.rows("select value from model_version_tags where version = 3 and key = 'millrace.verdict'")
    assert verdicts == [(end["verdict"],)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("digits", "--register", "--digits", "1"), "is one digit"),
        (("digits", "--register", "--epochs", "101"), "not between 1 and 100"),
        (("digits", "--register", "--dataset", "mnist@0123456789ab"), "no dataset version mnist@0123456789ab"),
        (("digits", "--digits", "0,1"), "add --register"),
        (("cats",), "no part cats"),
    ],
)
def test_orders_that_make_no_sense(trainer: Trainer, arguments: tuple[str, ...], said: str) -> None:
    """They end at once with status 2 and one line that says what is wrong."""
    with trainer.start(*arguments) as process:
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert said in errors
    assert errors.count("\n") == 1
