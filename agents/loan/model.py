"""The loan model: its slot, the shipped bundle, and the trees, loaded once per process."""

from collections.abc import Sequence
from pathlib import Path

from agents.loan.features import NAMES
from streams.models import check
from streams.service.model_slot import Slot

FOLDER = Path(__file__).parent / "model"
FILE = "model.onnx"
NAME = "bank_marketing_model"


class Scorer:
    """One loaded model."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Load a bundle. Raises BadBundle for an incomplete one, and ValueError for one of other features."""
        import onnxruntime  # imported here, because the worker itself only lists the service

        self.bundle = check(folder)
        if tuple(self.bundle.card.get("features", ())) != NAMES:
            raise ValueError(f"the model {self.bundle.version} is made for other features than this service gives")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # the worker decides how much runs at once
        self._session = onnxruntime.InferenceSession(str(folder / FILE), options, providers=["CPUExecutionProvider"])

    def score(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Return the probability of a yes, 0 to 1, for each row of features."""
        import numpy as np

        (probabilities,) = self._session.run(["probabilities"], {"features": np.asarray(rows, np.float32)})
        return [float(probability) for probability in probabilities[:, 1]]


LOAN = Slot(FOLDER, Scorer)
