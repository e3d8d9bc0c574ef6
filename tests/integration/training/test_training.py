"""A model is trained, kept, registered and judged by the real parts: TensorFlow, MLflow on PostgreSQL, S3."""

import asyncio
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agents.digits.bundle import FOLDER
from streams.datasets.manifest import DatasetFile, Manifest, manifest, of_catalogue
from streams.models import Bundle, Champion, check, read
from streams.runtime.storage.store import Store
from tests.integration.support.trainer import Trainer, picture, trainer
from training.registry.objects import Objects

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(850)]

ORDER = ("digits", "--register", "--digits", "1,0", "--pictures", "1500", "--epochs", "2", "--fewer", "--call", "first")


@pytest.fixture(scope="module")
def corrected(trainer: Trainer) -> Manifest:
    """A version of MNIST with a one and a seven that people put right."""
    files = []
    for digit in (1, 7):
        content = picture(digit)
        sha256 = hashlib.sha256(content).hexdigest()
        files.append((DatasetFile(f"mnist/corrections/{digit}/{sha256}", sha256, "ours", "a test"), content))
    made = manifest("mnist", (*of_catalogue("mnist").files, *(file for file, _ in files)))

    async def keep() -> None:
        store = Store(trainer.settings)
        for file, content in files:
            await store.create(file.key, content)
        await store.create(made.key, made.to_json().encode())
        store.close()

    asyncio.run(keep())
    return made


@pytest.fixture(scope="module")
def lines(trainer: Trainer, corrected: Manifest) -> list[dict[str, Any]]:
    """What a training of two digits says that is killed after its first epoch, and then asked for again."""
    return killed_and_asked_again(trainer, *ORDER, "--dataset", corrected.label)


def killed_and_asked_again(trainer: Trainer, *order: str) -> list[dict[str, Any]]:
    """What the second of two trainings of the same order says."""
    with trainer.start(*order) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["kind"] == "epoch":
                break
        process.kill()
    return trainer.run(*order)


def test_a_training_that_was_killed_goes_on(lines: list[dict[str, Any]]) -> None:
    """The first epoch is not learned twice, and the end says all that is to be known."""
    assert [one["epoch"] for one in lines if one["kind"] == "epoch"] == [2]
    end = lines[-1]
    assert (end["kind"], end["model"], end["registered"]) == ("end", "mnist_model_01", "2")
    assert end["figures"]["test.accuracy"] > 0.99
    assert end["figures"]["test.accuracy.all"] < 0.22
    assert set(end["pictures"]) == {"confusion", "course", "recall"}
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in end["pictures"].values())


def test_people_s_corrections_are_learned_from(corrected: Manifest, lines: list[dict[str, Any]]) -> None:
    """A version with corrections brings those of the digits that are asked for, and the model names it."""
    assert "1 corrections are learned from, each 10 times; 1 cannot be used" in [one.get("text") for one in lines]
    assert lines[-1]["dataset"] == corrected.label


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
    end = lines[-1]
    champion = Champion(
        "digit-recognition", end["model"], end["version"], 2, f"models/digit-recognition/{end['version']}"
    )

    def fetched(home: str) -> Bundle:
        return Objects(dataclasses.replace(trainer.settings, home=tmp_path / home)).fetch(champion)

    bundle = fetched("one")
    assert bundle.card["digits"] == [0, 1]
    assert bundle.dataset == end["dataset"]
    (bundle.folder / "card.json").write_text(json.dumps({**bundle.card, "claims": "all"}))
    Objects(trainer.settings).keep("digit-recognition", check(bundle.folder))
    assert fetched("another").card["claims"].startswith("Reads 0, 1.")


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


def test_the_same_call_is_told_its_outcome(trainer: Trainer, corrected: Manifest, lines: list[dict[str, Any]]) -> None:
    """Asked again, as after a worker was killed that had not passed the outcome on, nothing is trained or registered again."""
    assert trainer.run(*ORDER, "--dataset", corrected.label) == lines[-1:]
    assert trainer.rows("select count(*) from model_versions") == [(2,)]


def test_a_worse_model_is_refused_and_kept(trainer: Trainer, lines: list[dict[str, Any]]) -> None:
    """It stays registered, without the alias, with the reason; the champion serves on."""
    end = trainer.run("digits", "--register", "--digits", "0,1", "--pictures", "10", "--epochs", "1")[-1]
    assert not end["promoted"]
    assert end["verdict"].startswith("Refused: worse than the champion")
    assert trainer.champion()["millrace.version"] == lines[-1]["version"]
    verdicts = trainer.rows("select value from model_version_tags where version = 3 and key = 'millrace.verdict'")
    assert verdicts == [(end["verdict"],)]


def test_the_same_model_ordered_again_says_so(trainer: Trainer, lines: list[dict[str, Any]]) -> None:
    """An order that gives a model that is registered already is the last one that this version was made for, and that was filled."""
    assert lines[-1]["registered"] == "2", "the test before has registered the third"
    given = ("digits", "--register", "--digits", "0,1", "--pictures", "10", "--epochs", "1", "--ordered", "that one")
    assert trainer.run(*given)[-1]["registered"] == "3"
    tags = dict(trainer.rows("select key, value from model_version_tags where version = 3"))
    assert tags["millrace.order"] == "that one"
    assert float(tags["millrace.ordered"]) > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("digits", "--register", "--digits", "1"), "is one digit"),
        (("digits", "--register", "--epochs", "101"), "not between 1 and 100"),
        (("digits", "--register", "--dataset", "mnist@0123456789ab"), "no dataset version mnist@0123456789ab"),
        (("digits", "--register", "--dataset", "bank-marketing@133245db40aa"), "is no version of mnist"),
        (("cells", "--register", "--dataset", "mist@0123456789ab"), "is no version of blood-cells/bccd"),
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
