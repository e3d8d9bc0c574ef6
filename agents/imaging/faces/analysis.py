"""Everything that is said about the faces of one picture, decoded once and no larger than needed."""

from collections.abc import Iterator, Sequence

import numpy as np

from agents.imaging.area import Area
from agents.imaging.colour import flat
from agents.imaging.faces import models
from agents.imaging.faces.cascades import cascade
from agents.imaging.faces.detector import detector
from agents.imaging.faces.looks import CASCADES, SIDE, Looks, looks
from agents.imaging.faces.traits import HAPPY, Estimate, emotion, gender
from agents.imaging.faces.traits import load as network
from agents.imaging.picture import Picture
from streams.service.model_status import ModelStatus

MIN_SCORE = 0.7
"""Of faces that are looked for here; face-detect takes another on request."""


def load() -> None:
    """Load every model that this module uses."""
    detector()
    for path in (models.GENDER.path(), models.EMOTION.path()):
        if path is not None:
            network(path)
    for name in CASCADES:
        cascade(name)


def detected(picture: Picture) -> tuple[tuple[Area, ...], ModelStatus]:
    """Detect the faces of a picture; return their areas and the model that found them."""
    used = detector()
    return tuple(face.area for face in used.detect(picture, MIN_SCORE)), used.model


def analyse(picture: Picture, faces: Sequence[Area]) -> Iterator[tuple[Area, Estimate | None, Estimate | None, Looks]]:
    """For each face, which lies inside the picture: its area, gender, emotion and looks. Raises InvalidInput."""
    if not faces:
        return
    width, height = picture.size
    smallest = min(min(face.width, face.height) for face in faces)
    scale = min(1.0, SIDE / smallest)
    grey = flat(picture.grey((max(1, round(width * scale)), max(1, round(height * scale)))))
    pixels = np.asarray(grey)
    across, down = grey.width / width, grey.height / height
    for face in faces:
        scaled = Area(
            x=min(grey.width - 1, int(face.x * across)),
            y=min(grey.height - 1, int(face.y * down)),
            width=max(1, round(face.width * across)),
            height=max(1, round(face.height * down)),
        )
        mood = emotion(pixels, scaled)
        yield face, gender(pixels, scaled), mood, looks(pixels, scaled, mood.likely[HAPPY] if mood else None)
