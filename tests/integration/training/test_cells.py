"""The gate of the part `cells`, on the real test originals. test_cell_train trains one that passes."""

from pathlib import Path

import pytest

from agents.cells.bundle import FILE, FOLDER
from agents.cells.classifier import Classifier, Weights
from streams.models import check, read
from tests.integration.support.trainer import Trainer, trainer
from training.cells.judge import judge
from training.registry.bundle import write

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(850)]


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
