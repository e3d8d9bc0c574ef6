"""Finding faces: by YuNet where its weights are, by OpenCV's Haar cascade otherwise."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.imaging.area import Area
from agents.imaging.colour import flat
from agents.imaging.faces import models
from agents.imaging.faces.cascades import cascade, hits
from agents.imaging.picture import Picture
from streams.service.model_status import ModelStatus

LONGEST = 1280
"""Pixels of the longer side that a detector gets: on larger photos YuNet finds false faces."""

_FRONTAL = "haarcascade_frontalface_default"

_SMALLEST = 16
"""Pixels of the shorter side below which no face can be recognised."""

Point = tuple[float, float]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Face:
    """A face in pixels of the upright picture."""

    area: Area
    score: float
    """0 to 1."""
    landmarks: tuple[Point, ...] = ()
    """Right eye, left eye, nose tip, right and left corner of the mouth, as the person sees it; none from Haar."""


class Detector(ABC):
    """Something that finds faces in a picture whose longer side is at most LONGEST."""

    model: ModelStatus

    @abstractmethod
    def find(self, image: Image.Image, min_score: float) -> list[tuple[float, ...]]:
        """For each face: x, y, width, height, score, then the landmarks' x and y; in pixels of `image` (RGB)."""

    def detect(self, picture: Picture, min_score: float) -> tuple[Face, ...]:
        """Detect faces with at least this score (0 to 1), from left to right. Raises InvalidInput for a damaged picture."""
        width, height = picture.size
        if min(width, height) < _SMALLEST:
            return ()
        scale = min(1.0, LONGEST / max(width, height))
        small = picture.reduced((math.ceil(width * scale), math.ceil(height * scale)))
        small = flat(small).convert("RGB")
        small.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
        across, down = width / small.width, height / small.height
        faces = []
        for x, y, w, h, score, *rest in self.find(small, min_score):
            left, top = round(x * across), round(y * down)
            area = Area(x=left, y=top, width=max(1, round(w * across)), height=max(1, round(h * down)))
            inside = area.clipped(picture.size)
            if inside is not None:
                marks = tuple(
                    (round(a * across, 1), round(b * down, 1)) for a, b in zip(rest[::2], rest[1::2], strict=True)
                )
                faces.append(Face(inside, round(min(1.0, score), 4), marks))
        return tuple(sorted(faces, key=lambda face: (face.area.x, face.area.y)))


class YuNet(Detector):
    """The YuNet network, through OpenCV."""

    def __init__(self, weights: Path) -> None:
        self.model = models.YUNET.status()
        self._net = cv2.FaceDetectorYN.create(str(weights), "", (0, 0), 0.7, 0.3, 500)

    def find(self, image: Image.Image, min_score: float) -> list[tuple[float, ...]]:
        """With five landmarks a face."""
        pixels = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
        self._net.setInputSize(image.size)
        self._net.setScoreThreshold(min_score)
        detections: Any = self._net.detect(pixels)[1]  # None when there is no face, which its stubs do not know
        rows = [] if detections is None else detections.tolist()
        return [(*row[:4], row[14], *row[4:14]) for row in rows]


class Haar(Detector):
    """OpenCV's frontal face cascade."""

    def __init__(self) -> None:
        self.model = models.haar(_FRONTAL)
        self._cascade = cascade(_FRONTAL)

    def find(self, image: Image.Image, min_score: float) -> list[tuple[float, ...]]:
        """Without landmarks; the score is made from the cascade's weight."""
        grey = np.asarray(image.convert("L"))
        boxes = hits(self._cascade, grey, scale=1.1, neighbours=5, smallest=(24, 24))
        scored = [(*map(float, box), 1 / (1 + math.exp(_HAAR_EVEN - weight))) for box, weight in boxes]
        return [row for row in scored if row[4] >= min_score]


_HAAR_EVEN = 2.0
"""The cascade's weight at which a hit is as often a face as not, on photos with known faces."""


def detector() -> Detector:
    """Return the best detector whose weights are available."""
    return _detector(models.YUNET.path())


@cache
def _detector(yunet: Path | None) -> Detector:
    return Haar() if yunet is None else YuNet(yunet)
