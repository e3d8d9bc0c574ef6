"""The part `cells` goes the way of every model: trained, registered beside the shipped one, and judged, by the real parts."""

from pathlib import Path

import pytest

from agents.cells.bundle import FILE, FOLDER
from agents.cells.classifier import Classifier, Weights
from streams.models import check, read
from tests.integration.support.trainer import Trainer, trainer
from training.cells.judge import judge
from training.registry.bundle import write

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_cell_model_is_registered_and_judged(trainer: Trainer) -> None:
    """With one copy of each cell it is another model, not worse than the shipped one by more than chance explains, and serves."""
    if not (trainer.settings.data / "blood-cells").exists():
        pytest.skip(
            "needs the public data: set MILLRACE_DATA to a directory that has blood-cells (see the data catalogue)"
        )
    end = trainer.run("cells", "--register", "--copies", "1", "--call", "cells")[-1]
    assert (end["kind"], end["model"], end["registered"]) == ("end", read(FOLDER).name, "2")
    assert end["version"] != read(FOLDER).version
    assert end["figures"]["test.balanced_accuracy"] > 0.8
    assert set(end["pictures"]) == {"confusion", "recall"}
    champion = trainer.champion("cell-classify")
    assert champion["millrace.version"] == (end["version"] if end["promoted"] else read(FOLDER).version)
    assert "test examples" in end["verdict"]
    assert champion["millrace.dataset"] == read(FOLDER).dataset


def test_a_worse_model_is_refused(trainer: Trainer, tmp_path: Path) -> None:
    """A model that takes everything for one type stays out, and the verdict has the figures."""
    weights = Classifier().weights
    always = {**weights.__dict__, "weights": weights.weights * 0}
    (tmp_path / FILE).write_text(Weights(**always).to_json(), encoding="utf-8")
    write(tmp_path, read(FOLDER).card)
    assert check(tmp_path).version != read(FOLDER).version
    verdict = judge(tmp_path, FOLDER, trainer.settings.data)
    assert not verdict.passed
    assert "worse than the champion" in verdict.text
    assert judge(FOLDER, FOLDER, trainer.settings.data).passed
