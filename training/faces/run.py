"""Measure the face services on the photos and write their cards. Nothing is trained."""

from collections.abc import Callable
from pathlib import Path

from agents.imaging.faces.detector import Haar, YuNet
from agents.imaging.faces.models import EMOTION, GENDER, YUNET
from streams.datasets.catalogue import entry
from streams.datasets.download import fetch
from training.faces import card, traits
from training.faces.detection import conditions, tally
from training.faces.truth import photos

DETECTION = Path("docs/models/face-detect.md")
ANALYSIS = Path("docs/models/face-analyze.md")


def run(data: Path, top: Path, say: Callable[[str], None]) -> None:
    """Measure the face services on the photos of the data directory and write their cards below `top`. Raises DataError."""
    weights = {model: fetch(entry(model.file), data).path for model in (YUNET, GENDER, EMOTION)}
    known = photos(data)
    say(f"faces: {len(known)} photos with {sum(photo.faces for photo in known)} faces")
    yunet, cascade = conditions(YuNet(weights[YUNET]), known), conditions(Haar(), known)
    _write(top / DETECTION, card.detection(yunet, cascade))
    for name, results in (("YuNet", yunet), ("the cascade", cascade)):
        counted = tally(next(iter(results.values()))).counted
        say(f"faces: {name} counts {counted.right} of {counted.of} photos right; see {DETECTION}")
    measured = traits.measure(known)
    _write(top / ANALYSIS, card.analysis(measured))
    gender = measured.known("woman", "man")
    say(f"faces: gender is right for {gender.right} of {gender.of} known faces; see {ANALYSIS}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
