"""Measure a face detector: photos counted right, faces found, boxes without a face, and how well boxes overlap with faces."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.imaging.faces.detector import Detector
from training.digits.measure import Share
from training.faces.match import by_overlap, by_point, overlap
from training.faces.scenes import CONDITIONS, Scene
from training.faces.truth import Box, Photo

SCORES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Values of min_score to compare; 0.7 is the service's default."""

DEFAULT = 0.7


@dataclass(frozen=True)
class Found:
    """What a detector found in a scene at the lowest of SCORES."""

    known: Photo
    faces: tuple[tuple[Box, float], ...]

    def boxes(self, min_score: float) -> tuple[Box, ...]:
        """Return the boxes with at least this score (0 to 1)."""
        return tuple(box for box, score in self.faces if score >= min_score)


@dataclass(frozen=True)
class Tally:
    """Sums over photos."""

    counted: Share
    """Photos with as many boxes as faces."""
    recall: Share
    """Marked faces with a box of their own."""
    precision: Share
    """Boxes that match a face, in photos with marked faces."""
    overlaps: tuple[float, ...]
    """The intersection over union of each box with its face, where faces are marked by boxes."""

    @property
    def overlap(self) -> float:
        """The mean of `overlaps`, 0 to 1; 0 without any."""
        return sum(self.overlaps) / len(self.overlaps) if self.overlaps else 0.0


def look(detector: Detector, scenes: Iterable[Scene]) -> tuple[Found, ...]:
    """Run the detector on each scene."""
    return tuple(
        Found(
            known,
            tuple(
                ((face.area.x, face.area.y, face.area.width, face.area.height), face.score)
                for face in detector.detect(picture, min(SCORES))
            ),
        )
        for picture, known in scenes
    )


def tally(results: Sequence[Found], min_score: float = DEFAULT) -> Tally:
    """Count how well the boxes with at least this score (0 to 1) match the known faces."""
    counted = hits = marks = boxes = 0
    overlaps: list[float] = []
    for result in results:
        here, known = result.boxes(min_score), result.known
        counted += len(here) == known.faces
        if known.marked:
            near = by_overlap(here, known.boxes)
            overlaps += near
            hits += len(near) + by_point(here, known.noses)
            marks += known.faces
            boxes += len(here)
    return Tally(Share(counted, len(results)), Share(hits, marks), Share(hits, boxes), tuple(overlaps))


def worst(results: Sequence[Found], min_score: float = DEFAULT) -> float:
    """Return the least overlap of a marked face with its nearest box, 0 to 1."""
    return min(
        max((overlap(box, mark) for box in result.boxes(min_score)), default=0.0)
        for result in results
        for mark in result.known.boxes
    )


def conditions(detector: Detector, photos: Sequence[Photo]) -> Mapping[str, tuple[Found, ...]]:
    """Run the detector on the photos under each condition."""
    return {name: look(detector, map(scene, photos)) for name, scene in CONDITIONS.items()}
