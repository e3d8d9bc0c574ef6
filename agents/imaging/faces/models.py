"""The face models: which there are, whether their weights are here, and what is done without them. Loads none."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from streams.datasets.catalogue import entry
from streams.datasets.download import find
from streams.service.model_status import ModelStatus
from streams.settings import Settings


@dataclass(frozen=True)
class Weights:
    """A model whose weights are a file of the data catalogue."""

    name: str
    version: str
    file: str
    """Its name in the data catalogue."""
    without: str
    """What a service does without it."""

    def path(self) -> Path | None:
        """Where the weights are; None when they are missing or are other ones than the catalogue's."""
        return find(entry(self.file), Settings.read().data)

    def status(self) -> ModelStatus:
        """Describe the model for the catalogue of services: whether its weights are there, and what is lost without them."""
        if self.path() is not None:
            return ModelStatus(self.name, self.version, ready=True)
        place = Settings.read().data / self.file
        detail = f"{place} is missing: {self.without}. `millrace data fetch {self.file}` says how to get it"
        return ModelStatus(self.name, self.version, ready=False, detail=detail)


YUNET = Weights(
    "face_detection_yunet",
    "2023mar",
    "models/face_detection_yunet_2023mar.onnx",
    "faces are found by OpenCV's Haar cascade, which misses turned and small ones",
)
GENDER = Weights("gender_mini_XCEPTION", "21-0.95", "models/gender_mini_XCEPTION.21-0.95.onnx", "gender is always null")
EMOTION = Weights(
    "fer2013_mini_XCEPTION", "102-0.66", "models/fer2013_mini_XCEPTION.102-0.66.onnx", "emotion is always null"
)


def haar(name: str) -> ModelStatus:
    """Describe a cascade that is part of OpenCV's package, so that it is always available."""
    for package in ("opencv-python-headless", "opencv-python"):
        try:
            return ModelStatus(name, f"opencv-{version(package)}", ready=True)
        except PackageNotFoundError:
            continue
    return ModelStatus(name, "", ready=False, detail="OpenCV is not installed")


def detector_status() -> tuple[ModelStatus, ...]:
    """Describe the detector in use, preceded by the better one if its weights are missing."""
    yunet = YUNET.status()
    return (yunet,) if yunet.ready else (yunet, haar("haarcascade_frontalface_default"))


def traits_status() -> tuple[ModelStatus, ...]:
    """Describe the models that `face-analyze` uses besides a detector."""
    return GENDER.status(), EMOTION.status(), haar("haarcascades")
