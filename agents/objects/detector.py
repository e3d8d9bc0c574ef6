"""A detector of an operator's: loaded once a process, run by OpenCV."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.imaging.area import Area
from agents.imaging.picture import Picture
from agents.objects.description import BadDescription, Description, place, read
from agents.objects.frame import tensor
from agents.objects.layouts import reading
from agents.objects.read import Candidates, candidates

MOST = 300
"""Objects of one picture; the surest ones stay."""

_MOST_CANDIDATES = 3000
"""That are compared with each other."""


@dataclass(frozen=True)
class Found:
    """An object, in pixels of the upright picture."""

    label: str
    area: Area
    score: float
    """0 to 1."""


class Detector:
    """One loaded network."""

    def __init__(self, about: Description) -> None:
        """Load the network and run it once on a black picture to learn its outputs. Raises BadDescription."""
        self.about = about
        cv2.setNumThreads(1)  # the worker decides how much runs at once
        try:
            self._net = cv2.dnn.readNetFromONNX(str(about.weights))
            self._names: list[str] = list(self._net.getUnconnectedOutLayersNames())
        except cv2.error as error:
            raise about.bad(f"{about.weights.name} cannot be loaded: {_reason(error)}") from error
        width, height = about.size
        empty = (1, 3, height, width) if about.pixels.channels == "first" else (1, height, width, 3)
        try:
            outputs = self._run(np.zeros(empty, np.float32))
        except cv2.error as error:
            raise about.bad(
                f"{about.weights.name} cannot be run on {width} x {height} pixels, channels {about.pixels.channels}: "
                f"{_reason(error)}",
                "size must be the one that it was exported with; see docs/reference/object-detect.md",
            ) from error
        self.reading = reading({name: output.shape for name, output in outputs.items()}, about)
        """How its outputs are read."""

    def detect(self, picture: Picture, min_score: float, labels: frozenset[str]) -> tuple[Found, ...]:
        """Detect objects of these labels with at least this score (0 to 1), the surest first.

        Raises InvalidInput for a damaged picture.
        """
        values, frame = tensor(picture, self.about.size, self.about.pixels)
        boxes = candidates(self._run(values), self.reading, self.about.size)
        boxes = boxes.at((boxes.scores >= min_score) & (boxes.scores > 0) & (boxes.labels >= 0))
        boxes = _apart(boxes.at(np.argsort(-boxes.scores, kind="stable")[:_MOST_CANDIDATES]), self.reading.overlap)
        objects = []
        for box, score, number in zip(boxes.boxes, boxes.scores, boxes.labels, strict=True):
            left, top, right, bottom = box
            area = frame.area(left, top, right, bottom) if left < right and top < bottom else None
            label = self._label(int(number))
            if area is not None and label in labels:
                objects.append(Found(label, area, round(float(score), 4)))
        return tuple(objects[:MOST])

    def _run(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        self._net.setInput(values)
        return dict(zip(self._names, map(np.asarray, self._net.forward(self._names)), strict=True))

    def _label(self, number: int) -> str:
        if number >= len(self.about.labels):
            raise self.about.bad(
                f"the network reports label {number}, and there are {len(self.about.labels)}, from 0 on"
            )
        return self.about.labels[number]


def detector() -> Detector:
    """Return the detector that serves. Raises BadDescription when none is described."""
    path = place()
    if path is None:
        raise BadDescription("no detector is described here, so there is nothing that could find objects")
    return _detector(path)


@cache
def _detector(path: Path) -> Detector:
    return Detector(read(path))


def _apart(sorted_ones: Candidates, overlap: float | None) -> Candidates:
    """Without those that overlap a surer one of the same label by more than that."""
    if overlap is None or not len(sorted_ones.scores):
        return sorted_ones
    boxes = sorted_ones.boxes.copy()
    boxes[:, 2:] -= boxes[:, :2]
    kept = cv2.dnn.NMSBoxesBatched(
        boxes.tolist(), sorted_ones.scores.tolist(), sorted_ones.labels.tolist(), 0.0, overlap
    )
    return sorted_ones.at(np.sort(np.asarray(kept, np.int64).reshape(-1)))


def _reason(error: cv2.error) -> str:
    """Extract OpenCV's reason, without the locations in its source."""
    text = " ".join(str(error).split())
    missing = re.search(r"of type \"([\w.]+)\"", text) if "Can't create layer" in text else None
    if missing:
        return f"OpenCV {cv2.__version__} has no operation {missing[1]}; export the network without it"
    if "Failed to parse" in text or "has_graph" in text:
        return "it is not a complete ONNX file"
    reasons = re.findall(r"error: \(-?\d+:[^)]*\) (.+?)(?: in function|$)", text)
    return reasons[-1] if reasons else text
