"""What a face detector is worth: photos counted right, faces found and boxes that are none, and where the boxes lie."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.imaging.faces.detector import Detector
from training.digits.measure import Share
from training.faces.match import by_overlap, by_point, overlap
from training.faces.scenes import CONDITIONS, Scene
from training.faces.truth import Box, Photo

SCORES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Of min_score, which are looked at beside each other; 0.7 is the service's default."""

DEFAULT = 0.7


@dataclass(frozen=True)
class Found:
    """What a detector found in a scene at the lowest of SCORES."""

    known: Photo
    faces: tuple[tuple[Box, float], ...]

    def boxes(self, min_score: float) -> tuple[Box, ...]:
        """Those with at least this score."""
        return tuple(box for box, score in self.faces if score >= min_score)


@dataclass(frozen=True)
class Tally:
    """Sums over photos."""

    counted: Share
    """Photos with as many boxes as faces."""
    recall: Share
    """Marked faces with a box of their own."""
    precision: Share
    """Boxes in photos with marks that are a face's."""
    overlaps: tuple[float, ...]
    """Of the boxes that belong to faces marked by boxes."""

    @property
    def overlap(self) -> float:
        """The mean."""
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
    """Of the faces marked by boxes, the least overlap with the box that is nearest."""
    return min(
        max((overlap(box, mark) for box in result.boxes(min_score)), default=0.0)
        for result in results
        for mark in result.known.boxes
    )


def conditions(detector: Detector, photos: Sequence[Photo]) -> Mapping[str, tuple[Found, ...]]:
    """Run the detector on the photos under each condition."""
    return {name: look(detector, map(scene, photos)) for name, scene in CONDITIONS.items()}
